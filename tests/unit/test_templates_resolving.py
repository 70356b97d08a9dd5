"""CloudFormation's functions as tables: what each gives, and what is said where nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config import nodes, read_yaml
from headrace.config.nodes import Node, plain
from headrace.config.reasons import ReasonCode
from headrace.service.templates.core import naming
from headrace.service.templates.core.intrinsics import truth_of
from headrace.service.templates.core.options import TemplateOptions
from headrace.service.templates.core.sam_pruning import grafted
from headrace.service.templates.core.stack import Stack
from headrace.service.templates.core.values import (
    Spot,
    TemplateValue,
    Unresolved,
    node_of,
    not_resolved,
    plain_of,
    unresolved_in,
)
from headrace.service.templates.reading import long_form

DOCUMENT = """
Parameters:
  Name: {Type: String, Default: orders}
  List: {Type: CommaDelimitedList, Default: "a, b"}
  Many: {Type: "List<Number>", Default: "1,2"}
  Ready: {Type: CommaDelimitedList, Default: [x, y]}
  Number: {Type: Number, Default: 007}
  None_: {Type: String}
  Odd: {Default: x}
  Empty: {Type: String, Default: ""}
  Secret: {Type: "AWS::SSM::Parameter::Value<String>", Default: /name}
Mappings:
  Map: {one: {key: 1, list: [a, b]}, us-east-1: {key: here}}
Conditions:
  Yes: !Equals [a, a]
  No: !Not [!Condition Yes]
  Unknown: !Equals [!Ref None_, a]
  Loop: !Or [!Condition Loop, !Condition Loop]
  Bad: 7
  Text: "true"
  Truth: true
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Named: {Type: AWS::SQS::Queue, Properties: {QueueName: mine}}
  Fifo: {Type: AWS::SQS::Queue, Properties: {FifoQueue: "true"}}
  Off: {Type: AWS::SQS::Queue, Condition: No}
  Perhaps: {Type: AWS::SQS::Queue, Condition: Unknown}
  Topic: {Type: AWS::SNS::Topic}
  Bucket: {Type: AWS::S3::Bucket}
  Fn: {Type: AWS::Lambda::Function}
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Fn}}
  Alias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Fn, Name: live}}
  NoName: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !GetAtt Fn.Arn}}
  NoFunction: {Type: AWS::Lambda::Alias, Properties: {}}
  BadAlias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Fn, Name: !Ref None_}}
  Consumer: {Type: AWS::Kinesis::StreamConsumer, Properties: {StreamARN: arn:s}}
  NoStream: {Type: AWS::Kinesis::StreamConsumer, Properties: {}}
  Config: {Type: AWS::SSM::Parameter, Properties: {Value: v}}
  NoConfig: {Type: AWS::SSM::Parameter, Properties: {}}
  Vpc: {Type: AWS::EC2::VPC}
  NoType: {Properties: {}}
  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: gone.yaml}}
"""
OPTIONS = TemplateOptions()


def stack(options: TemplateOptions = OPTIONS, text: str = DOCUMENT, **given: str) -> Stack:
    document, problems = read_yaml.read(text, "t.yaml", long_form)
    assert document is not None
    assert not problems
    assert isinstance(document.value, dict)
    values = {name: TemplateValue(value, Spot("--parameter")) for name, value in given.items()}
    return Stack("s", "t.yaml", document.value, options, values)


def resolved(text: str, options: TemplateOptions = OPTIONS, **given: str) -> TemplateValue | None:
    node, _ = read_yaml.read(f"value: {text}", "t.yaml", long_form)
    assert node is not None
    assert isinstance(node.value, dict)
    return stack(options, **given).resolve(node.value["value"])


@pytest.mark.semantics("TPL-03")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Name", "orders"),
        ("{Ref: Name}", "orders"),
        ("!Ref List", ["a", "b"]),
        ("!Ref Many", ["1", "2"]),
        ("!Ref Ready", ["x", "y"]),
        ("!Ref Odd", "x"),
        ("!Sub '${Number}'", "007"),
        ("!Ref Empty", ""),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::StackName", "s"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref Queue", "https://sqs.us-east-1.amazonaws.com/000000000000/s-Queue"),
        ("!GetAtt Queue.Arn", "arn:aws:sqs:us-east-1:000000000000:s-Queue"),
        ("!GetAtt [Queue, QueueName]", "s-Queue"),
        ("!GetAtt [Queue, !Sub 'Queue${Empty}Name']", "s-Queue"),
        ("!GetAtt Named.QueueName", "mine"),
        ("!GetAtt Fifo.QueueName", "s-Fifo.fifo"),
        ("!Ref Topic", "arn:aws:sns:us-east-1:000000000000:s-Topic"),
        ("!GetAtt Bucket.Arn", "arn:aws:s3:::s-bucket"),
        ("!Ref Version", "arn:aws:lambda:us-east-1:000000000000:function:s-Fn:1"),
        ("!GetAtt Version.Version", "1"),
        ("!Ref Alias", "arn:aws:lambda:us-east-1:000000000000:function:s-Fn:live"),
        ("!Ref NoName", "arn:aws:lambda:us-east-1:000000000000:function:s-Fn:live"),
        ("!Ref Consumer", "arn:s"),
        ("!GetAtt Config.Value", "v"),
        ("!GetAtt NoConfig.Value", ""),
        ("!Join ['-', [a, !Ref Name, 1, true]]", "a-orders-1-true"),
        ("!Join ['', !Split ['-', a-b]]", "ab"),
        ("!Select ['1', !Ref List]", "b"),
        ("!Sub 'x-${Name}-${!Name}-${AWS::Region}'", "x-orders-${Name}-us-east-1"),
        ("!Sub ['${A}-${Name}', {A: !Ref Name}]", "orders-orders"),
        ("!Sub ['plain']", "plain"),
        ("!Sub '${Queue.Arn}'", "arn:aws:sqs:us-east-1:000000000000:s-Queue"),
        ("!Sub 'a${AWS::NoValue}b'", "ab"),
        ("!FindInMap [Map, one, key]", 1),
        ("!FindInMap [Map, !Ref AWS::Region, key]", "here"),
        ("!FindInMap [Map, two, key, {DefaultValue: 9}]", 9),
        ("!If [Yes, a, b]", "a"),
        ("!If [No, a, b]", "b"),
        ("!If [Unknown, a, a]", "a"),
        ("{a: !Ref AWS::NoValue, b: [!Ref AWS::NoValue, 1]}", {"b": [1]}),
        ("!Base64 abc", "YWJj"),
        ("!GetAZs ''", ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ("!GetAZs eu-west-1", ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ("{'Fn::Length': !Ref List}", 2),
        ("{'Fn::ToJsonString': {a: !Ref Name}}", '{"a":"orders"}'),
        ("!Equals [1, '1']", True),
        ("!And [!Condition Yes, !Condition No]", False),
        ("!Or [!Condition Unknown, !Condition Yes]", True),
        ("!And [!Condition Unknown, !Condition No]", False),
        ("!Not [!Condition No]", True),
        ("{Ref: Name, Other: x}", {"Ref": "Name", "Other": "x"}),
    ],
)
def test_a_function_gives(text: str, value: object) -> None:
    found = resolved(text)
    assert found is not None
    assert unresolved_in(found) is None
    assert plain_of(found) == value


@pytest.mark.semantics("TPL-04", "TPL-05", "TPL-06")
@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("!Ref None_", ReasonCode.NOT_RESOLVED, "--parameter None_="),
        ("!Ref Secret", ReasonCode.NOT_RESOLVED, "Systems Manager"),
        ("!Ref AWS::NotificationARNs", ReasonCode.NOT_RESOLVED, "deployment"),
        ("!Ref Queu", ReasonCode.NOT_RESOLVED, "did you mean 'Queue'"),
        ("!Ref Zzz", ReasonCode.NOT_RESOLVED, "fragment"),
        ("!Ref Fn.Alias", ReasonCode.NOT_RESOLVED, "FnAlias"),
        ("!Ref [a]", ReasonCode.MISCONFIGURED, "a name"),
        ("!Ref Off", ReasonCode.NOT_RESOLVED, "its condition is false"),
        ("!Ref Perhaps", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Ref Vpc", ReasonCode.NOT_RESOLVED, "--bind Vpc"),
        ("!GetAtt Vpc.CidrBlock", ReasonCode.NOT_RESOLVED, "CidrBlock of Vpc"),
        ("!Ref NoType", ReasonCode.NOT_RESOLVED, "without a type"),
        ("!GetAtt Queue.Nothing", ReasonCode.NOT_RESOLVED, "Nothing of Queue"),
        ("!Ref NoStream", ReasonCode.NOT_RESOLVED, "NoStream"),
        ("!Ref NoFunction", ReasonCode.NOT_RESOLVED, "names no function"),
        ("!Ref BadAlias", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Ref Nested", ReasonCode.NOT_RESOLVED, "Nested"),
        ("!GetAtt Nested.Outputs.X", ReasonCode.NOT_RESOLVED, "was not found"),
        ("!GetAtt [a]", ReasonCode.MISCONFIGURED, "Fn::GetAtt"),
        ("!GetAtt [Queue, !Ref None_]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Join [',']", ReasonCode.MISCONFIGURED, "delimiter and a list"),
        ("!Join [',', text]", ReasonCode.MISCONFIGURED, "wants a list"),
        ("!Join [!Ref None_, [a]]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Join [',', !Ref None_]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Join [',', [!Ref None_]]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Join [',', [[a]]]", ReasonCode.MISCONFIGURED, "a list stands"),
        ("!Join [',', [{a: b}]]", ReasonCode.MISCONFIGURED, "a mapping stands"),
        ("!Split [',']", ReasonCode.MISCONFIGURED, "Fn::Split"),
        ("!Split ['', a]", ReasonCode.MISCONFIGURED, "not empty"),
        ("!Split [!Ref None_, a]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Split [',', !Ref None_]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Select [5, [a]]", ReasonCode.MISCONFIGURED, "below 1"),
        ("!Select [x, [a]]", ReasonCode.MISCONFIGURED, "'x'"),
        ("!Select [1]", ReasonCode.MISCONFIGURED, "index and a list"),
        ("!Select [!Ref None_, [a]]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Select [0, !Ref None_]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Sub [1]", ReasonCode.MISCONFIGURED, "Fn::Sub"),
        ("!Sub '${None_}'", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Sub ['${A}', {A: !Ref AWS::NoValue}]", ReasonCode.MISCONFIGURED, "no value"),
        ("!Sub '{{resolve:ssm:/x}}'", ReasonCode.NOT_RESOLVED, "{{resolve:ssm:/x}}"),
        ("'{{resolve:secretsmanager:a:SecretString:b}}'", ReasonCode.NOT_RESOLVED, "when the stack is deployed"),
        ("!FindInMap [Map, two, key]", ReasonCode.NOT_RESOLVED, "it has one, us-east-1"),
        ("!FindInMap [Gone, two, key]", ReasonCode.NOT_RESOLVED, "Gone"),
        ("!FindInMap [Map]", ReasonCode.MISCONFIGURED, "two keys"),
        ("!FindInMap [Map, !Ref None_, key]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!If [Yes, a]", ReasonCode.MISCONFIGURED, "Fn::If"),
        ("!If [Gone, a, b]", ReasonCode.MISCONFIGURED, "no condition 'Gone'"),
        ("!If [Unknown, a, b]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Base64 {Ref: None_}", ReasonCode.NOT_RESOLVED, "None_"),
        ("!GetAZs {Ref: None_}", ReasonCode.NOT_RESOLVED, "None_"),
        ("!ImportValue x", ReasonCode.NOT_RESOLVED, "exports 'x'"),
        ("!ImportValue {Ref: None_}", ReasonCode.NOT_RESOLVED, "None_"),
        ("{'Fn::Length': text}", ReasonCode.MISCONFIGURED, "wants a list"),
        ("{'Fn::ToJsonString': {a: !Ref None_}}", ReasonCode.NOT_RESOLVED, "None_"),
        ("{'Fn::ToJsonString': !Ref AWS::NoValue}", ReasonCode.MISCONFIGURED, "wants a value"),
        ("!Shuffle [a]", ReasonCode.NOT_TAKEN, "Fn::Shuffle"),
        ("{'Fn::Transform': {Name: AWS::Include}}", ReasonCode.NOT_TAKEN, "Fn::Transform"),
        ("{'Fn::ForEach::X': [a, [b], {c: d}]}", ReasonCode.NOT_TAKEN, "ForEach"),
        ("!Cidr [a, b]", ReasonCode.NOT_TAKEN, "Fn::Cidr"),
        ("!Equals [!Ref None_, a]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Equals [a]", ReasonCode.MISCONFIGURED, "arguments"),
        ("!Not [!Condition Bad]", ReasonCode.MISCONFIGURED, "neither true nor false"),
        ("!Not [!Ref None_]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!And [!Condition Unknown, !Condition Yes]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!Or [!Condition Unknown, !Condition No]", ReasonCode.NOT_RESOLVED, "None_"),
        ("!If [Loop, a, b]", ReasonCode.MISCONFIGURED, "refers to itself"),
    ],
)
def test_nobody_can_tell(text: str, code: ReasonCode, words: str) -> None:
    found = resolved(text)
    assert found is not None
    unknown = unresolved_in(found)
    assert unknown is not None, plain_of(found)
    assert unknown.reason.code is code
    assert words in unknown.reason.text


def test_a_condition_may_be_a_text() -> None:
    assert stack().condition("Text") is True
    assert stack().condition("Truth") is True


def test_what_is_not_known_is_nothing_as_plain_data_and_as_a_node() -> None:
    unknown = TemplateValue(not_resolved("x"), Spot("t", 3))
    assert plain_of(TemplateValue([unknown], Spot("t"))) == [None]
    assert node_of(unknown) == Node(None, "t", 3)


GRAFTED = """
Resources:
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      A: [1, 2]
      B: {C: d}
      FunctionName: ours
"""


def test_an_answer_of_the_translator_is_grafted() -> None:
    document, _ = read_yaml.read(GRAFTED, "t.yaml", long_form)
    assert document is not None
    properties = {"A": [1, 3, 4], "B": {"C": "d"}, "E": [True]}
    theirs = {"Type": naming.MAPPING, "Properties": {**properties, "FunctionName": "theirs"}}
    found = grafted(document, {"Resources": {"M": theirs}})
    meant = {"Type": naming.MAPPING, "Properties": {**properties, "FunctionName": "ours"}}
    assert plain(found) == {"Resources": {"M": meant}}
    assert nodes.locate(found, ["Resources", "M", "Properties", "B", "C"]).line == 7
    assert nodes.locate(found, ["Resources", "M", "Properties", "A", 1]).line == 6
    assert grafted(document, {}) is document
    assert plain(grafted(document, {"Resources": {"M": {"Type": naming.MAPPING}}})) == {
        "Resources": {"M": {"Type": naming.MAPPING}}
    }


@pytest.mark.semantics("TPL-06")
@pytest.mark.parametrize("length", [2, 400])
def test_rings_and_long_chains_end(length: int) -> None:
    names = [f"Q{index}" for index in range(length)]
    pairs = zip(names, [*names[1:], names[0]], strict=True)
    lines = [
        f"  {one}: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Sub 'x${{{other}.QueueName}}'}}}}"
        for one, other in pairs
    ]
    found = stack(text="Resources:\n" + "\n".join(lines)).attribute("Q0", "QueueName", Spot("t"))
    assert isinstance(found.held, Unresolved)
    assert found.held.reason.code is ReasonCode.MISCONFIGURED


@pytest.mark.semantics("TPL-06")
def test_texts_that_double_are_bounded() -> None:
    lines = ["  Q0: {Type: AWS::SQS::Queue, Properties: {QueueName: 'aaaaaaaaaa'}}"]
    for index in range(1, 25):
        both = f"${{Q{index - 1}.QueueName}}" * 2
        lines.append(f"  Q{index}: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Sub '{both}'}}}}")
    found = stack(text="Resources:\n" + "\n".join(lines)).attribute("Q24", "QueueName", Spot("t"))
    assert isinstance(found.held, Unresolved)
    assert "more than" in found.held.reason.text


@pytest.mark.semantics("TPL-06")
def test_conditions_that_lead_to_conditions_end() -> None:
    lines = [f"  C{index}: !Not [!Condition C{index + 1}]" for index in range(300)]
    found = stack(text="Conditions:\n" + "\n".join([*lines, "  C300: !Equals [a, a]"])).condition("C0")
    assert isinstance(found, Unresolved)


@pytest.mark.semantics("TPL-07")
def test_names_of_the_partition_of_china() -> None:
    options = TemplateOptions(region="cn-north-1")
    found = resolved("!Sub '${AWS::Partition}/${AWS::URLSuffix}/${Queue}/${Queue.Arn}'", options)
    assert found is not None
    assert plain_of(found) == (
        "aws-cn/amazonaws.com.cn/https://sqs.cn-north-1.amazonaws.com.cn/000000000000/s-Queue/"
        "arn:aws-cn:sqs:cn-north-1:000000000000:s-Queue"
    )


@pytest.mark.semantics("TPL-07")
def test_a_long_name_is_cut_and_stays_its_own() -> None:
    text = "Resources:\n" + "\n".join(f"  {'A' * 90}{x}: {{Type: AWS::SQS::Queue}}" for x in "bc")
    found = stack(text=text)
    names = [found.physical_name("A" * 90 + x) for x in "bc"]
    assert all(isinstance(name, str) and len(name) == 80 for name in names)
    assert names[0] != names[1]


@pytest.mark.semantics("TPL-08")
@pytest.mark.parametrize(
    ("bound", "expression", "value"),
    [
        ("arn:aws:sqs:us-east-1:000000000000:q", "!GetAtt Queue.Arn", "arn:aws:sqs:us-east-1:000000000000:q"),
        ("arn:aws:sqs:us-east-1:000000000000:q", "!GetAtt Queue.QueueName", "q"),
        ("arn:aws:sqs:us-east-1:000000000000:q", "!Ref Queue", "http://e/000000000000/q"),
        ("http://h:1/111122223333/q", "!GetAtt Queue.Arn", "arn:aws:sqs:us-east-1:111122223333:q"),
        ("http://h:1/111122223333/q", "!Ref Queue", "http://h:1/111122223333/q"),
        ("http://h:1/q", "!GetAtt Queue.Arn", "arn:aws:sqs:us-east-1:000000000000:q"),
        ("arn:aws:ec2:us-east-1:000000000000:vpc/v", "!Ref Queue", "http://e/000000000000/v"),
    ],
)
def test_a_binding_stands_for_a_resource(bound: str, expression: str, value: str) -> None:
    found = resolved(expression, TemplateOptions(bindings={"Queue": bound}, endpoint_url="http://e"))
    assert found is not None
    assert plain_of(found) == value


def test_values_stand_where_they_are_looked_up(tmp_path: Path) -> None:
    text = "Resources:\n  Q: {Type: AWS::SQS::Queue}\nA: !GetAtt Q.Arn\nB: !GetAtt Q.Arn\n"
    found = stack(text=text)
    lines = [found.resolve(found.document[key]) for key in "AB"]
    assert [each.spot.line for each in lines if each is not None] == [3, 4]


def test_a_condition_reads_texts_of_parameters() -> None:
    node, _ = read_yaml.read("value: !Ref Name", "t.yaml", long_form)
    assert node is not None
    assert isinstance(node.value, dict)
    assert truth_of(stack(Name="true"), node.value["value"]) is True
    assert truth_of(stack(Name="false"), node.value["value"]) is False
