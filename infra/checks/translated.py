"""`template.yaml` as CloudFormation gets to see it: after the SAM translator, which needs neither a network nor an account.

The definition of its state machine comes with it, which the translator only passes on.
"""

import functools
import json
import logging
import re
import unittest
from pathlib import Path
from types import SimpleNamespace

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).resolve().parents[2]
# CloudFormation hands a CommaDelimitedList to the translator as a list. Two, so that a list that became a text is noticed.
ORIGINS = ["https://one.example", "https://two.example"]
NO_VALUE = {"Ref": "AWS::NoValue"}
DEFINITION = "Definition"  # the definition's place in the source, which is no section of a template
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)  # it warns that nobody collects its own

FUNCTION, PERMISSION, LOG_GROUP = "AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::Logs::LogGroup"
API, STAGE, ROUTE = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Route"
ROLE, BUCKET, SCHEDULE = "AWS::IAM::Role", "AWS::S3::Bucket", "AWS::Scheduler::Schedule"
STATE_MACHINE, ALARM, DASHBOARD = "AWS::StepFunctions::StateMachine", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"


@functools.cache
def _source():
    # As JSON, since what YAML aliases share would otherwise be changed everywhere when it is changed in one place.
    source = yaml_parse((ROOT / "template.yaml").read_text())
    [machine] = [r for r in source["Resources"].values() if r["Type"] == "AWS::Serverless::StateMachine"]
    definition = json.loads((ROOT / machine["Properties"]["DefinitionUri"]).read_text())
    return json.dumps(source | {DEFINITION: definition})


class Template:
    """The template and the definition, changed by `change` before the template is translated."""

    def __init__(self, change=lambda source: None):
        self.source = json.loads(_source())
        change(self.source)
        self.is_changed = json.dumps(self.source) != _source()
        self.definition = self.source.pop(DEFINITION)
        document = json.loads(json.dumps(self.source))
        for resource in document["Resources"].values():
            for local in {"CodeUri", "DefinitionUri"} & resource.get("Properties", {}).keys():
                resource["Properties"][local] = "s3://bucket/key"  # as after `sam package`
        # Without the table of managed policies, which is fetched from IAM, or a session, which looks for the user's profile.
        translator = Translator({}, Parser(), boto_session=SimpleNamespace(region_name="us-east-1"))
        self.document = translator.translate(document, {"AllowedOrigins": ORIGINS})
        self.parameters = self.document["Parameters"]
        self.conditions = self.document["Conditions"]
        self.outputs = self.document["Outputs"]
        self.resources = self.document["Resources"]

    def all(self, kind):
        """Logical id and properties of all resources of a kind."""
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == kind}

    def only(self, kind, **having):
        """The one resource of a kind that has these properties."""
        found = [(name, p) for name, p in self.all(kind).items() if having.items() <= p.items()]
        if len(found) != 1:
            raise AssertionError(f"not one {kind} {having or ''} but {len(found)}")
        return found[0]

    def target(self, value, kind):
        """The logical id that a value refers to, which has to be a resource of the kind."""
        match = re.fullmatch(r"\$\{(\w+)(\.\w+)?\}", text(value))
        name = match and match[1]
        if self.resources.get(name, {}).get("Type") != kind:
            raise AssertionError(f"{text(value)} is no {kind} of this template")
        return name

    def rest_api(self):
        websocket, _ = self.websocket_api()
        return next((name, api) for name, api in self.all(API).items() if name != websocket)

    def websocket_api(self):
        return self.only(API, ProtocolType="WEBSOCKET")

    def stages(self):
        """The stage of each API."""
        names = {self.rest_api()[0]: "REST", self.websocket_api()[0]: "WebSocket"}
        return {names[self.target(stage["ApiId"], API)]: stage for stage in self.all(STAGE).values()}

    def function_of(self, integration_uri):
        """The function that an integration of API Gateway invokes."""
        match = re.fullmatch(r"arn:.*:lambda:path/2015-03-31/functions/(\$\{\w+\.Arn\})/invocations", text(integration_uri))
        return match and self.target(match[1], FUNCTION)

    def tasks(self):
        """The state and its function of every task of the state machine."""
        _, machine = self.only(STATE_MACHINE)
        arns = {f"${{{name}}}": arn for name, arn in machine["DefinitionSubstitutions"].items()}
        for name, state in self.definition["States"].items():
            if state["Type"] == "Task":
                called = state.get("Parameters", {}).get("FunctionName")
                yield name, state, self.target(arns.get(called, called), FUNCTION)

    def holds(self, condition, **given):
        """Whether a condition holds with these parameters, and the defaults of all others."""
        values = {name: parameter.get("Default") for name, parameter in self.parameters.items()} | given

        def value(operand):
            return values[operand["Ref"]] if isinstance(operand, dict) else operand

        def true(expression):
            ((operator, operands),) = expression.items()
            return {
                "Condition": lambda: true(self.conditions[operands]),
                "Fn::Equals": lambda: value(operands[0]) == value(operands[1]),
                "Fn::Not": lambda: not true(operands[0]),
                "Fn::And": lambda: all(map(true, operands)),
                "Fn::Or": lambda: any(map(true, operands)),
            }[operator]()

        return true(self.conditions[condition])

    def accepts(self, parameter, value):
        """Whether CloudFormation would take the value for the parameter. A pattern has to match all of it."""
        constraints = self.parameters[parameter]
        values = value.split(",") if constraints["Type"] == "CommaDelimitedList" else [value]
        return all(
            len(value) >= int(constraints.get("MinLength", 0))
            and value in constraints.get("AllowedValues", [value])
            and re.fullmatch(constraints.get("AllowedPattern", "(?s:.*)"), value, re.ASCII)
            for value in values
        )


class TemplateCase(unittest.TestCase):
    """Tests of the template `t`; `template_mutations.py` gives them others."""

    maxDiff = None
    t = None

    @classmethod
    def setUpClass(cls):
        cls.t = Template()

    def variables(self):
        """The environment of each function."""
        return {name: function["Environment"]["Variables"] for name, function in self.t.all(FUNCTION).items()}


def text(value):
    """A value as one text, with `${…}` for what is only known in the cloud: equal texts are equal values."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::GetAtt": str(attribute)}:
            return f"${{{attribute}}}"
        case {"Fn::Sub": [str(pattern), variables]}:
            return re.sub(r"\$\{(\w+)\}", lambda m: text(variables.get(m[1], {"Ref": m[1]})), pattern)
        case {"Fn::Sub": str(pattern)}:
            return pattern
        case {"Fn::Join": [separator, list(parts)]}:
            return separator.join(map(text, parts))
        case _:
            return json.dumps(value, sort_keys=True)


def branches(value, conditions=()):
    """What may stand in the place of a value, each with the conditions under which it does."""
    if isinstance(value, dict) and value.keys() == {"Fn::If"}:
        condition, then, otherwise = value["Fn::If"]
        yield from branches(then, (*conditions, condition))
        yield from branches(otherwise, (*conditions, f"not {condition}"))
    elif value != NO_VALUE:
        yield conditions, value


def listed(value):
    """IAM takes one thing for a list of one."""
    return value if isinstance(value, list) else [value]


def references(value):
    """Every name that is referred to within a value, as `(kind, name)`."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield "name", item
            elif key == "Fn::GetAtt":
                yield "name", (item if isinstance(item, list) else item.split("."))[0]
            elif key == "Fn::Sub":
                pattern, variables = item if isinstance(item, list) else (item, {})
                for name in names_in(pattern):
                    if name not in variables:
                        yield "name", name
                yield from references(variables)
            elif key == "Condition" and isinstance(item, str):  # that of an IAM statement is an object
                yield "condition", item
            elif key == "Fn::If":
                yield "condition", item[0]
                yield from references(item[1:])
            else:
                yield from references(item)


def names_in(pattern):
    """The resources and parameters in a text with `${…}`."""
    return [name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", pattern)]
