"""Which files hold a handler, and what is said where there is none. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .formats import TemplateFormat

BUILDS = {
    TemplateFormat.SAM: "sam build",
    TemplateFormat.FRAGMENT: "sam build",
    TemplateFormat.CLOUDFORMATION: "the project's own build",
    TemplateFormat.CDK: "cdk synth",
    TemplateFormat.SERVERLESS: "serverless package",
    TemplateFormat.TERRAFORM: "terraform apply",
}
"""What makes the code of a template's functions."""
SCRIPTS = (".js", ".mjs", ".cjs")


FAMILIES = ("python", "nodejs", "provided", "java", "dotnet", "ruby")


def family(runtime: str) -> str:
    """`python`, `java` and so on; empty for a runtime that Headrace starts under no setting."""
    return next((each for each in FAMILIES if runtime.startswith(each)), "")


def no_runtime(runtime: str, name: str) -> str:
    what = f"the runtime {runtime} is not one that Headrace starts" if runtime else "has no runtime"
    form = f"functions: {{{name}: {{command: […]}}}}"
    return f"{what}; define {name} in a configuration file that is given too, with a command ({form})"


def candidates(runtime: str, handler: str) -> tuple[str, ...]:
    """The files, relative to the code, one of which holds the handler; none where nobody can tell."""
    kind = family(runtime)
    if kind == "provided":
        return ("bootstrap",)
    if kind == "python":
        module = handler.rpartition(".")[0].replace(".", "/")
        return (f"{module}.py", f"{module}/__init__.py") if module else ()
    if kind != "nodejs":
        return ()
    folder, slash, last = handler.rpartition("/")
    stem = f"{folder}{slash}{last.partition('.')[0]}"
    return (*(f"{stem}{ending}" for ending in SCRIPTS), f"{stem}/index.js")


def missing(wanted: Sequence[str], form: TemplateFormat, method: str, typescript: bool) -> str:
    """What is said of code that lacks its handler."""
    build = BUILDS.get(form, "the project's own build")
    if typescript:
        return f"{wanted[0]} is not there, and its TypeScript is: build it (`{build}`, or `npm run build`)"
    if method:
        return f"{wanted[0]} is not there, and BuildMethod is {method}: run `{build}`"
    return f"{wanted[0]} is not there: run `{build}`, or correct the handler"


def uncompiled(form: TemplateFormat) -> str:
    """What is said of a function in Java without code that a JVM can run."""
    build = BUILDS.get(form, "the project's own build")
    return f"there is no class and no jar: run `{build}`"


def absent(path: str, form: TemplateFormat) -> str:
    build = BUILDS.get(form, "the project's own build")
    return f"there is no {path}: run `{build}`, which makes it"
