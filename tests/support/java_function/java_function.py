"""A function in Java, and AWS's runtime client for it: fetched with Maven and compiled once, into `.servers/`."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from support.servers.fetched import fetched, run
from support.servers.jars import SHORT_LIVED, jars

_HERE = Path(__file__).parent
_SOURCES = _HERE / "App.java", _HERE / "Broken.java"
MAIN = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"


def client() -> Path:
    """The directory with the jars of AWS's client and of `aws-lambda-java-core`."""
    return jars(_HERE / "pom.xml")


def command() -> list[str]:
    """What a user gives for `java21` in the setting `runtimes`; of a JVM that does not live long."""
    return ["java", *SHORT_LIVED, "-cp", f"{{code}}:{{code}}/lib/*:{client()}/*", MAIN, "{handler}"]


def classes() -> Path:
    """The directory with the compiled function: what a jar unpacks to."""
    libraries = client()  # before the compilation, which holds the lock of all that is fetched

    def compiled(directory: Path) -> Path:
        target = directory / "classes"
        options = ["--release", "17", "-cp", f"{libraries}/*", "-d", str(target)]
        run("a JDK", ["javac", *options, *map(str, _SOURCES)], "the function in Java")
        return target

    return fetched(_SOURCES[0], compiled)


def jar(path: Path) -> Path:
    """The function as a jar without a library."""
    with zipfile.ZipFile(path, "w") as made:
        for each in sorted(classes().glob("*.class")):
            made.write(each, each.name)
    return path


def with_lib(directory: Path) -> Path:
    """The function as Gradle's and Maven's guides for Lambda lay it out: all of it in jars below `lib`."""
    library = directory / "lib"
    library.mkdir(parents=True)
    jar(library / "orders.jar")
    for each in client().glob("aws-lambda-java-core-*.jar"):
        shutil.copyfile(each, library / each.name)
    return directory
