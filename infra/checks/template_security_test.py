"""Who may do what, what is given by whom, and what is written down: run by `template_test.py`."""

import json
import re

import yaml
from translated import (
    BUCKET, FUNCTION, LOG_GROUP, ROLE, ROOT, SCHEDULE, STATE_MACHINE, TemplateCase, branches, listed, text,
)

POLICIES = yaml.safe_load((ROOT / "infra/checks/policies.yaml").read_text())

# What access logs may say of a request: nothing that holds a path, a query, a header, a token or what people typed. These are two
# lists, since API Gateway refuses a stage whose format has a variable that its kind of API does not know.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html
LOGGED_BY_BOTH = set(
    "apiId error.message error.responseType extendedRequestId identity.sourceIp integration.error "
    "integration.integrationStatus integration.requestId integration.status integrationLatency requestId requestTime "
    "requestTimeEpoch routeKey stage status".split()
)
LOGGED_BY_REST = LOGGED_BY_BOTH | set(
    "dataProcessed httpMethod integrationErrorMessage protocol responseLatency responseLength".split()
)
LOGGED_BY_WEBSOCKET = LOGGED_BY_BOTH | {"connectedAt", "connectionId", "eventType", "messageId"}

# Parameters that may be any text, and why.
FREE = {
    "AllowedOrigins": "a list; what is no origin is that of no page, so that a mistake lets nobody in",
    "TokenAudience": "whatever the issuer puts into aud",
    "TokenOwnerClaim": "a claim may have any name but an empty one, which MinLength refuses",
    "ChatModel": "whatever the vendor calls its models",
}

# The vendors whose protocols the functions speak.
VENDORS_RS = ROOT / "shared/src/service/video_vendor/mod.rs"
VENDORS = set(re.findall(r'"(\w+)" => Box::new\(', VENDORS_RS.read_text()))
# Of parameters that functions read at their start, and would not start with if they could not: what is taken, and what is not.
READ_AT_START = {
    "VideoVendor": (VENDORS, ["", "Ark", "seedance", "plain,ark"]),
    # Its last is what a shell or `samconfig.toml` leaves of an object in the wrong quotes.
    "VideoOptions": (
        ["{}", '{"resolution":"1080p","duration":5}', '{"a": {"b": [1, {"c": null}]}}'],
        ["", "null", "[]", '"{}"', "resolution=1080p", '["resolution"]', '{"resolution":"1080p"', "{"],
    ),
    "VideoModel": (
        ["", "doubao-seedance-1-0-pro-250528", "ep-20250101000000-abcde", "kling-v2-1", "gen4_turbo", "org/model:1.0"],
        [" ", "gen4 turbo", '"gen4_turbo"', "模型", "a" * 129],
    ),
    "KeepVideos": (["on", "off"], ["", "On", "true", "false", "yes"]),
}

SECRETS = {"MongoUriArn", "AuthSecretArn", "VideoVendorKeyArn", "ChatKeyArn"}
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:motionboard/mongodb-AbCdEf"
NO_ARNS = [
    "mongodb://user:password@host/database",
    "mongodb+srv://user:password@cluster.example.net",
    "sk-0123456789abcdefghijklmnopqrstuvwxyz",
    "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
    "arn:aws:ssm:us-east-1:123456789012:parameter/key",
    f"{ARN} mongodb://user:password@host",
]
NAMED_LIKE_A_SECRET = re.compile(r"PASSWORD|(^|_)(KEY|SECRET|URI|PASSPHRASE|CREDENTIAL|TOKEN)S?$", re.IGNORECASE)


class SecurityTest(TemplateCase):
    # ------------------------------------------------------------ rights

    def rights(self, role):
        """What a role may do, in the words of policies.yaml."""
        for policy in role["Policies"]:
            for entry in listed(policy["PolicyDocument"]["Statement"]):
                for conditions, statement in branches(entry):
                    # NotAction and NotResource would allow what nobody has listed.
                    self.assertLessEqual(statement.keys(), {"Sid", "Effect", "Action", "Resource", "Condition"})
                    self.assertEqual(statement["Effect"], "Allow")
                    where = statement.get("Condition")
                    suffix = f" where {json.dumps(where, sort_keys=True)}" if where else ""
                    suffix += f" if {' and '.join(conditions)}" if conditions else ""
                    for action in listed(statement["Action"]):
                        for resource in listed(statement["Resource"]):
                            yield f"{action} on {text(resource)}{suffix}"

    def test_every_role_may_do_what_the_list_says_and_nothing_else(self):
        roles = self.t.all(ROLE)
        self.assertEqual(roles.keys(), POLICIES["roles"].keys())
        for name, role in roles.items():
            with self.subTest(name):
                policy = POLICIES["roles"][name]
                of_all = POLICIES["every_function"] if policy["trusts"] == "lambda.amazonaws.com" else []
                self.assertEqual(sorted(self.rights(role)), sorted(of_all + policy["calls"]))

    def test_no_right_is_wider_than_it_has_to_be(self):
        rights = {tuple(right.split(" ")[::2][:2]) for role in self.t.all(ROLE).values() for right in self.rights(role)}
        self.assertEqual([action for action, _ in rights if "*" in action], [])
        on_everything = {action for action, resource in rights if resource == "*"}
        self.assertEqual(on_everything, POLICIES["on_everything"].keys(), "without a reason there, or no longer needed")
        self.assertTrue(all(map(str.strip, POLICIES["on_everything"].values())), "a reason is empty")

    def test_rights_are_given_by_roles_alone(self):
        elsewhere = {name for name, r in self.t.resources.items() if r["Type"].startswith("AWS::IAM::") and r["Type"] != ROLE}
        self.assertEqual(elsewhere, set())
        self.assertEqual({name for name, role in self.t.all(ROLE).items() if "ManagedPolicyArns" in role}, set())

    def test_the_state_machine_may_invoke_what_its_tasks_call_and_nothing_else(self):
        role = self.t.target(self.t.only(STATE_MACHINE)[1]["RoleArn"], ROLE)
        invoked = [r for r in self.rights(self.t.resources[role]["Properties"]) if r.startswith("lambda:")]
        called = {function for _, _, function in self.t.tasks()}
        self.assertEqual(sorted(invoked), sorted(f"lambda:InvokeFunction on ${{{function}.Arn}}" for function in called))

    def test_only_the_service_that_uses_a_role_may_take_it_on(self):
        users = {text(f["Role"]): "lambda.amazonaws.com" for f in self.t.all(FUNCTION).values()}
        users |= {text(m["RoleArn"]): "states.amazonaws.com" for m in self.t.all(STATE_MACHINE).values()}
        users |= {text(s["Target"]["RoleArn"]): "scheduler.amazonaws.com" for s in self.t.all(SCHEDULE).values()}
        for name, role in self.t.all(ROLE).items():
            with self.subTest(name):
                service = users.get(f"${{{name}.Arn}}")
                trust = [
                    (s["Effect"], listed(s["Action"]), {kind: listed(who) for kind, who in s["Principal"].items()})
                    for s in role["AssumeRolePolicyDocument"]["Statement"]
                ]
                self.assertEqual(trust, [("Allow", ["sts:AssumeRole"], {"Service": [service]})])
                self.assertEqual(service, POLICIES["roles"][name]["trusts"])

    def test_every_function_has_its_own_role(self):
        roles = [self.t.target(function["Role"], ROLE) for function in self.t.all(FUNCTION).values()]
        self.assertEqual(len(roles), len(set(roles)))

    def test_a_function_may_use_what_its_environment_names_and_nothing_else(self):
        for name, variables in self.variables().items():
            with self.subTest(name):
                role = self.t.target(self.t.resources[name]["Properties"]["Role"], ROLE)
                rights = {tuple(right.split(" ")[::2][:2]) for right in self.rights(self.t.resources[role]["Properties"])}
                services = {action.split(":")[0] for action, _ in rights}
                readable = {resource for action, resource in rights if action == "secretsmanager:GetSecretValue"}
                named = {text(value) for key, value in variables.items() if key.endswith("_ARN")}
                self.assertEqual(readable, named - {"${VideoPollingStateMachine}"})
                self.assertEqual("s3" in services, "IMAGES_BUCKET" in variables)
                self.assertEqual("states" in services, "STATE_MACHINE_ARN" in variables)
                self.assertEqual("execute-api" in services, "WEBSOCKET_API_URL" in variables)

    def test_the_bucket_is_only_for_tls(self):
        _, policy = self.t.only("AWS::S3::BucketPolicy")
        bucket = self.t.target(policy["Bucket"], BUCKET)
        statements = policy["PolicyDocument"]["Statement"]
        self.assertEqual({statement["Effect"] for statement in statements}, {"Deny"}, "roles alone give rights")
        without_tls = [s for s in statements if s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}]
        denied = [(s["Principal"], s["Action"], sorted(map(text, listed(s["Resource"])))) for s in without_tls]
        self.assertEqual(denied, [("*", "s3:*", [f"${{{bucket}.Arn}}", f"${{{bucket}.Arn}}/*"])])

    # ------------------------------------------------------------ what is written down

    def assert_tells_nothing_private(self, settings, allowed):
        self.t.target(settings["DestinationArn"], LOG_GROUP)
        self.assertNotIn("\n", settings["Format"], "API Gateway takes one line")
        variables = set(re.findall(r"\$context\.([\w.]+)", settings["Format"]))
        self.assertEqual(variables - allowed, set(), "private, or unknown to this kind of API")
        line = json.loads(re.sub(r"\$context\.[\w.]+", "", settings["Format"]))
        self.assertEqual(set(line.values()), {""}, "no variable of $context")
        # By which one query finds an event in all logs.
        self.assertIn('"correlation_id":"$context.requestId"', settings["Format"])

    def test_the_access_log_of_rest_is_always_there_and_tells_nothing_private(self):
        [(conditions, settings)] = branches(self.t.stages()["REST"]["AccessLogSettings"])
        self.assertEqual(conditions, ())
        self.assert_tells_nothing_private(settings, LOGGED_BY_REST)

    def test_the_access_log_of_the_websocket_is_there_on_demand_and_tells_nothing_private(self):
        [(conditions, settings)] = branches(self.t.stages()["WebSocket"]["AccessLogSettings"])
        self.assertEqual(conditions, ("HasWebSocketAccessLogs",))
        group = self.t.target(settings["DestinationArn"], LOG_GROUP)
        self.assertEqual(self.t.resources[group].get("Condition"), "HasWebSocketAccessLogs")
        self.assertFalse(self.t.holds("HasWebSocketAccessLogs"), "it needs a role of the account, which may not be there")
        self.assertTrue(self.t.holds("HasWebSocketAccessLogs", WebSocketAccessLogs="on"))
        self.assert_tells_nothing_private(settings, LOGGED_BY_WEBSOCKET)

    # ------------------------------------------------------------ parameters

    def test_every_parameter_says_what_it_is_and_what_it_takes(self):
        self.assertEqual(FREE.keys() - self.t.parameters.keys(), set())
        for name, parameter in self.t.parameters.items():
            with self.subTest(name):
                self.assertIn(parameter["Type"], {"String", "CommaDelimitedList"}, "a Number may have a fraction")
                self.assertTrue(parameter.get("Description", "").strip(), "no description")
                constraints = {"AllowedValues", "AllowedPattern"} & parameter.keys()
                self.assertEqual(bool(constraints), name not in FREE, "not constrained, or constrained and in FREE")
                self.assertEqual(bool(constraints), "ConstraintDescription" in parameter, "what the deployer is told")
                # YAML takes a bare `off` for false.
                self.assertTrue(all(isinstance(value, str) for value in parameter.get("AllowedValues", [])))

    def test_every_default_is_accepted(self):
        defaults = {name: parameter["Default"] for name, parameter in self.t.parameters.items() if "Default" in parameter}
        self.assertEqual({name: d for name, d in defaults.items() if not self.t.accepts(name, str(d))}, {})

    def test_what_functions_could_not_start_with_is_refused(self):
        self.assertTrue(VENDORS, f"{VENDORS_RS} names none")
        for name, (good, bad) in READ_AT_START.items():
            with self.subTest(name):
                self.assertEqual([value for value in good if not self.t.accepts(name, value)], [])
                self.assertEqual([value for value in bad if self.t.accepts(name, value)], [])
        self.assertEqual(set(self.t.parameters["VideoVendor"]["AllowedValues"]), VENDORS)

    def test_who_is_let_in_has_to_be_said(self):
        self.assertNotIn("Default", self.t.parameters["Authentication"])

    def test_secrets_are_named_and_never_given(self):
        rights = " ".join(right for role in self.t.all(ROLE).values() for right in self.rights(role))
        self.assertEqual(set(re.findall(r"secretsmanager:GetSecretValue on \$\{(\w+)\}", rights)), SECRETS)
        for name in SECRETS:
            with self.subTest(name):
                self.assertTrue(self.t.accepts(name, ARN))
                self.assertEqual([no_arn for no_arn in NO_ARNS if self.t.accepts(name, no_arn)], [])
                self.assertEqual(self.t.parameters[name].get("Default", ""), "")
        given = [name for name in self.t.parameters if re.search(r"(Key|Secret|Uri|Password|Token)s?$", name)]
        self.assertEqual(given, [], "to be given as an ARN")
        self.assertEqual([name for name, p in self.t.parameters.items() if {"NoEcho", "Default"} <= p.keys()], [])
        # CloudFormation would put the secret itself there, for all who may look at the stack.
        self.assertNotIn("{{resolve:", json.dumps(self.t.document))

    def test_no_environment_has_a_secret(self):
        arns = {f"${{{name}}}" for name in SECRETS} | {"${VideoPollingStateMachine}"}
        for name, variables in self.variables().items():
            with self.subTest(name):
                self.assertEqual([v for v in variables if NAMED_LIKE_A_SECRET.search(v)], [])
                self.assertEqual({text(v) for k, v in variables.items() if k.endswith("_ARN")} - arns, set())
