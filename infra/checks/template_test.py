"""Tests of `template.yaml` as the SAM translator translates it, against the contract and the promises of the documentation.

    target/ci-tools/bin/python infra/checks/template_test.py

`template_security_test.py` and `template_mutations.py`, which breaks the template to see that these tests see it, run with it.
"""

import json
import re
import tomllib
import unittest

import yaml
from samcli.cli.types import CfnParameterOverridesType
from template_mutations import MutationTest
from template_security_test import SecurityTest
from translated import (
    ALARM, API, BUCKET, DASHBOARD, FUNCTION, LOG_GROUP, NO_VALUE, ORIGINS, PERMISSION, ROLE, ROOT, ROUTE, SCHEDULE, STAGE,
    STATE_MACHINE, TemplateCase, branches, names_in, references, text,
)

# The contract's routes, and who answers them.
REST = {
    "GET /api/workspaces": "ListWorkspacesFunction",
    "POST /api/upload/image": "UploadImageFunction",
    "GET /api/uploads/{filename}": "GetUploadFunction",
    "GET /api/videos/{filename}": "GetVideoFunction",
    "POST /api/generate/video": "GenerateVideoFunction",
    "POST /api/ai/suggest": "SuggestParamsFunction",
}
WEBSOCKET = {"$connect": "WsConnectFunction", "$default": "WsMessageFunction", "$disconnect": "WsDisconnectFunction"}
# What each task of the state machine calls.
TASKS = {"Poll": "PollVideoFunction", "Keep": "KeepVideoFunction", "GiveUp": "PollVideoFunction"}
BEHIND_THE_APIS = {*TASKS.values(), "SweepStaleFunction"}
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LONGEST_TIMEOUT = 900

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTIONS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

# The metrics that AWS has. A name that is none would be taken for a metric without data, and its alarm would never go off.
LAMBDA_METRICS = {"Errors", "Throttles", "Invocations", "Duration", "ConcurrentExecutions"}
STATES_METRICS = {f"Executions{what}" for what in ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")}
API_METRICS = {
    "REST": {"Count", "4xx", "5xx", "Latency", "IntegrationLatency", "DataProcessed"},
    "WebSocket": {"ConnectCount", "MessageCount", "IntegrationError", "ClientError", "ExecutionError", "IntegrationLatency"},
}
METRICS_RS = ROOT / "shared/src/service/metrics.rs"
OUR_METRICS = set(re.findall(r'Self::\w+ => "([A-Z][A-Za-z]*)"', METRICS_RS.read_text() if METRICS_RS.exists() else ""))

LOOKS_LIKE_A_SECRET = re.compile(r"mongodb(\+srv)?://|://[^/\s]*:[^/\s]*@|\bsk-\w{8}|\bAKIA\w{8}|-----BEGIN")


def by_route(paths):
    """The operations of an OpenAPI document, by method and path."""
    return {f"{m.upper()} {path}": o for path, operations in paths.items() for m, o in operations.items() if m != "parameters"}


class TemplateTest(TemplateCase):
    # ------------------------------------------------------------ routes

    def test_the_documented_rest_routes_are_those_of_the_contract(self):
        documented = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())["paths"]
        self.assertEqual(by_route(documented).keys(), REST.keys())

    def test_every_rest_route_and_no_other_reaches_its_function(self):
        operations = by_route(self.t.rest_api()[1]["Body"]["paths"])
        integrations = {route: o["x-amazon-apigateway-integration"] for route, o in operations.items()}
        self.assertEqual({route: self.t.function_of(i["uri"]) for route, i in integrations.items()}, REST)
        # The functions read payloads of this version.
        self.assertEqual({(i["type"], i["payloadFormatVersion"]) for i in integrations.values()}, {("aws_proxy", "2.0")})

    def test_every_websocket_route_and_no_other_reaches_its_function(self):
        api_id, api = self.t.websocket_api()
        self.assertEqual(api["RouteSelectionExpression"], "$request.body.type")
        routes = []
        for route in self.t.all(ROUTE).values():
            self.assertEqual(self.t.target(route["ApiId"], API), api_id)
            integration = self.t.target(text(route["Target"]).removeprefix("integrations/"), "AWS::ApiGatewayV2::Integration")
            properties = self.t.resources[integration]["Properties"]
            self.assertEqual(properties["IntegrationType"], "AWS_PROXY")
            routes.append((route["RouteKey"], self.t.function_of(properties["IntegrationUri"])))
        self.assertCountEqual(routes, WEBSOCKET.items())

    def test_a_frame_is_answered_on_its_socket(self):
        route_id, route = self.t.only(ROUTE, RouteKey="$default")
        self.assertEqual(route.get("RouteResponseSelectionExpression"), "$default")
        _, response = self.t.only("AWS::ApiGatewayV2::RouteResponse")
        self.assertEqual((self.t.target(response["RouteId"], ROUTE), response["RouteResponseKey"]), (route_id, "$default"))

    def test_only_api_gateway_may_invoke_a_function_and_only_for_its_routes(self):
        arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:"
        rest, websocket = self.t.rest_api()[0], self.t.websocket_api()[0]
        wanted = [(f, f"{arn}${{{rest}}}/*/{re.sub('{.*}', '*', route.replace(' ', ''))}") for route, f in REST.items()]
        wanted += [(f, f"{arn}${{{websocket}.ApiId}}/${{Stage}}/{route}") for route, f in WEBSOCKET.items()]
        given = []
        for permission in self.t.all(PERMISSION).values():
            self.assertEqual(permission["Action"], "lambda:InvokeFunction")
            self.assertEqual(permission["Principal"], "apigateway.amazonaws.com")
            given.append((self.t.target(permission["FunctionName"], FUNCTION), text(permission.get("SourceArn"))))
        self.assertCountEqual(given, wanted)

    def test_the_two_apis_are_the_only_way_in(self):
        others = ("AWS::Lambda::Url", "AWS::Lambda::EventSourceMapping", "AWS::Events::Rule", "AWS::ApiGateway::RestApi")
        self.assertEqual([name for kind in others for name in self.t.all(kind)], [])
        self.assertEqual(len(self.t.all(API)), 2)
        self.assertEqual(len(self.t.all(STAGE)), 2)

    def test_the_sweeper_is_called_each_minute(self):
        _, schedule = self.t.only(SCHEDULE)
        self.assertEqual(schedule["ScheduleExpression"], "rate(1 minute)")
        self.assertEqual(schedule["FlexibleTimeWindow"], {"Mode": "OFF"})
        self.assertEqual(schedule.get("State", "ENABLED"), "ENABLED")
        self.assertEqual(self.t.target(schedule["Target"]["Arn"], FUNCTION), "SweepStaleFunction")

    def test_every_task_of_the_state_machine_calls_its_function(self):
        _, machine = self.t.only(STATE_MACHINE)
        self.assertEqual(set(names_in(json.dumps(self.t.definition))), machine["DefinitionSubstitutions"].keys())
        self.assertEqual({name: function for name, _, function in self.t.tasks()}, TASKS)
        for name, state, _ in self.t.tasks():
            with self.subTest(name):
                self.assertEqual(state.get("Resource"), "arn:aws:states:::lambda:invoke")
                # All that is known, a failure included.
                self.assertEqual(state["Parameters"].get("Payload.$"), "$")

    # ------------------------------------------------------------ functions and logs

    def test_every_function_ends_before_nobody_waits_for_it(self):
        functions = self.t.all(FUNCTION)
        self.assertEqual(functions.keys(), {*REST.values(), *WEBSOCKET.values(), *BEHIND_THE_APIS})
        # API Gateway waits 29 s for the answer to a frame and 30 s to a request. The sweeper ends before the next one begins.
        waits = dict.fromkeys(functions, 29) | {"SweepStaleFunction": 60}
        # A state that gave up first would call the function again while the first call still runs.
        for called in TASKS.values():
            states = [state.get("TimeoutSeconds", 0) for _, state, function in self.t.tasks() if function == called]
            waits[called] = min(states, default=0)
        self.assertEqual({name: f["Timeout"] for name, f in functions.items() if f["Timeout"] >= waits[name]}, {})
        self.assertEqual({name for name, f in functions.items() if f["Timeout"] > LONGEST_TIMEOUT}, set(), "Lambda takes no more")

    def test_every_function_runs_on_the_same_and_is_logged_and_traced(self):
        for name, function in self.t.all(FUNCTION).items():
            with self.subTest(name):
                self.assertGreaterEqual(function.get("MemorySize", 0), 128)
                self.assertEqual((function["Runtime"], function["Handler"]), ("provided.al2023", "bootstrap"))
                self.assertEqual(function["Architectures"], [{"Ref": "Architecture"}])
                self.assertEqual(function.get("TracingConfig"), {"Mode": "Active"})
                self.assertEqual(function["LoggingConfig"]["LogFormat"], "JSON")
                self.t.target(function["LoggingConfig"].get("LogGroup"), LOG_GROUP)
                # What the function gives as the dimension of its metrics.
                self.assertEqual(text(function["Environment"]["Variables"].get("STACK_NAME")), "${AWS::StackName}")

    def test_concurrency_is_reserved_on_demand_and_for_what_holds_connections_to_the_database(self):
        self.assertFalse(self.t.holds("HasReservedConcurrency"), "a new account has nothing to reserve")
        self.assertTrue(self.t.holds("HasReservedConcurrency", ReservedConcurrency="20"))
        on_demand = {"Fn::If": ["HasReservedConcurrency", {"Ref": "ReservedConcurrency"}, NO_VALUE]}
        wanted = {name: on_demand if "MONGODB_URI_ARN" in variables else None for name, variables in self.variables().items()}
        self.assertEqual({n: f.get("ReservedConcurrentExecutions") for n, f in self.t.all(FUNCTION).items()}, wanted)

    def test_the_state_machine_is_traced_and_logged_without_what_it_works_on(self):
        _, machine = self.t.only(STATE_MACHINE)
        self.assertEqual(machine.get("TracingConfiguration"), {"Enabled": True})
        logging = machine["LoggingConfiguration"]
        self.assertIn(logging["Level"], {"ERROR", "ALL"})
        self.assertIs(logging["IncludeExecutionData"], False, "it holds what people typed")
        [destination] = logging["Destinations"]
        self.t.target(destination["CloudWatchLogsLogGroup"]["LogGroupArn"], LOG_GROUP)

    def test_every_log_is_forgotten_some_day(self):
        for name, group in self.t.all(LOG_GROUP).items():
            with self.subTest(name):
                self.assertEqual(text(group.get("RetentionInDays")), "${LogRetentionDays}")
        self.assertEqual(set(map(int, self.t.parameters["LogRetentionDays"]["AllowedValues"])) - RETENTIONS, set())

    def test_both_apis_are_throttled(self):
        limits = []
        for name, stage in self.t.stages().items():
            with self.subTest(name):
                settings = stage.get("DefaultRouteSettings", {})
                limits.append({text(settings.get(limit)) for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit")})
        self.assertEqual(limits, [{"${RestRequestsPerSecond}"}, {"${WebSocketFramesPerSecond}"}])
        for parameter in ("RestRequestsPerSecond", "WebSocketFramesPerSecond"):
            self.assertGreater(int(self.t.parameters[parameter]["Default"]), 0)

    # ------------------------------------------------------------ alarms and dashboard

    def widgets(self):
        return json.loads(text(self.t.only(DASHBOARD)[1]["DashboardBody"]))["widgets"]

    def alarm_metrics(self):
        """`(alarm, namespace, metric, dimensions)` of all that alarms look at."""
        for name, alarm in self.t.all(ALARM).items():
            queries = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
            for metric in queries or [alarm]:
                dimensions = {d["Name"]: text(d["Value"]) for d in metric["Dimensions"]}
                yield name, metric["Namespace"], metric["MetricName"], dimensions

    def dashboard_metrics(self):
        for widget in self.widgets():
            for namespace, metric, *rest in widget["properties"].get("metrics", []):
                dimensions = [part for part in rest if not isinstance(part, dict)]
                yield widget["properties"]["title"], namespace, metric, dict(zip(dimensions[::2], dimensions[1::2], strict=True))

    def existing(self, namespace, dimensions):
        """The metrics that a namespace has with these dimensions."""
        match namespace, dimensions:
            case "Motionboard", {"Stack": "${AWS::StackName}", **others} if not others:
                return OUR_METRICS
            case "AWS/Lambda", {"FunctionName": function, **others} if not others:
                return self.t.target(function, FUNCTION) and LAMBDA_METRICS
            case "AWS/States", {"StateMachineArn": machine, **others} if not others:
                return self.t.target(machine, STATE_MACHINE) and STATES_METRICS
            case "AWS/ApiGateway", {"ApiId": api, **others}:
                for kind, stage in self.t.stages().items():
                    if text(stage["ApiId"]) == api and others in ({}, {"Stage": text(stage["StageName"])}):
                        return API_METRICS[kind]
        return set()

    def test_every_metric_that_is_looked_at_exists(self):
        for where, namespace, metric, dimensions in (*self.alarm_metrics(), *self.dashboard_metrics()):
            with self.subTest(where, namespace=namespace, dimensions=dimensions):
                self.assertIn(metric, self.existing(namespace, dimensions))

    def test_every_metric_of_ours_is_looked_at(self):
        self.assertTrue(OUR_METRICS, f"{METRICS_RS} names none")
        looked_at = {metric for _, n, metric, _ in (*self.alarm_metrics(), *self.dashboard_metrics()) if n == "Motionboard"}
        self.assertEqual(OUR_METRICS - looked_at, set())

    def test_no_function_fails_or_is_throttled_unheard(self):
        for watched in ("Errors", "Throttles"):
            with self.subTest(watched):
                heard = [d["FunctionName"] for _, n, metric, d in self.alarm_metrics() if (n, metric) == ("AWS/Lambda", watched)]
                self.assertCountEqual(heard, [f"${{{name}}}" for name in self.t.all(FUNCTION)], "each by one alarm")

    def test_somebody_is_told_of_the_first_refusal_that_only_he_can_mend(self):
        _, alarm = self.t.only(ALARM, MetricName="VendorAccountErrors")
        wanted = {
            "Namespace": "Motionboard", "Statistic": "Sum", "ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 1,
            "EvaluationPeriods": 1, "TreatMissingData": "notBreaching",
        }
        self.assertEqual({key: alarm.get(key) for key in wanted}, wanted)
        self.assertLessEqual(alarm["Period"], 300)

    def test_every_alarm_can_go_off_and_be_heard(self):
        self.assertFalse(self.t.holds("HasAlarmTopic"))
        self.assertTrue(self.t.holds("HasAlarmTopic", AlarmTopicArn="arn:aws:sns:us-east-1:123456789012:alarms"))
        for name, alarm in self.t.all(ALARM).items():
            with self.subTest(name):
                self.assertTrue(alarm.get("AlarmDescription"))
                self.assertIn(alarm.get("TreatMissingData"), {"breaching", "notBreaching"})
                self.assertIs(alarm.get("ActionsEnabled", True), True)
                for actions in ("AlarmActions", "OKActions"):
                    told = list(branches(alarm.get(actions, NO_VALUE)))
                    self.assertEqual(told, [(("HasAlarmTopic",), [{"Ref": "AlarmTopicArn"}])], actions)
                if queries := alarm.get("Metrics"):
                    self.assertLessEqual(sum("MetricStat" in query for query in queries), 10, "CloudWatch takes no more")
                    self.assertEqual(sum(query.get("ReturnData", True) for query in queries), 1, "one is compared")

    def test_the_dashboard_has_neither_gaps_nor_overlaps(self):
        # CloudWatch's grid has 24 columns. Each widget begins where the one before ends, or in the next row.
        x = y = height = 0
        for widget in self.widgets():
            if x == 24:
                x, y = 0, y + height
            height = widget["height"] if x == 0 else height
            self.assertEqual([widget[where] for where in ("x", "y", "height")], [x, y, height], widget["properties"]["title"])
            x += widget["width"]
        self.assertEqual(x, 24)

    def test_the_dashboard_asks_for_logs_that_exist(self):
        queries = [widget["properties"]["query"] for widget in self.widgets() if widget["type"] == "log"]
        sources = [source for query in queries for source in re.findall(r"SOURCE '([^']*)'", query)]
        self.assertTrue(sources)
        for source in sources:
            self.t.target(source, LOG_GROUP)

    # ------------------------------------------------------------ pictures and origins

    def test_pictures_are_kept_and_not_public(self):
        name, bucket = self.t.only(BUCKET)
        policies = [self.t.resources[name].get(policy) for policy in ("DeletionPolicy", "UpdateReplacePolicy")]
        self.assertEqual(policies, ["Retain", "Retain"])
        blocks = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        self.assertEqual(bucket.get("PublicAccessBlockConfiguration"), dict.fromkeys(blocks, True))
        self.assertEqual(bucket.get("OwnershipControls"), {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        encryption = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration")
        self.assertEqual(encryption, [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}])
        self.assertEqual(bucket.get("VersioningConfiguration"), {"Status": "Enabled"})
        for rule in bucket["LifecycleConfiguration"]["Rules"]:
            # Only versions that are not current end, and only after a week in which a removal can be taken back.
            self.assertEqual([key for key in rule if key.startswith(("Expiration", "Transition"))], [])
            self.assertGreaterEqual(rule.get("NoncurrentVersionExpiration", {"NoncurrentDays": 7})["NoncurrentDays"], 7)

    def test_pages_of_the_allowed_origins_may_do_what_the_contract_says(self):
        cors = self.t.rest_api()[1]["Body"]["x-amazon-apigateway-cors"]
        self.assertEqual(cors["allowOrigins"], ORIGINS, "what was given for the parameter AllowedOrigins")
        self.assertCountEqual(cors["allowMethods"], {route.split(" ")[0] for route in REST} | {"OPTIONS"})
        self.assertCountEqual(cors["allowHeaders"], ["authorization", "content-type", "idempotency-key", "if-none-match"])
        self.assertCountEqual(cors["exposeHeaders"], ["etag", "retry-after"])
        self.assertFalse(cors.get("allowCredentials"), "tokens travel in a header, and never by themselves")
        rules = self.t.only(BUCKET)[1]["CorsConfiguration"]["CorsRules"]
        pages = [(rule["AllowedMethods"], rule["AllowedOrigins"], rule["ExposedHeaders"]) for rule in rules]
        # A redirect across origins sends `Origin: null`: whoever has a signed address may read it from anywhere.
        self.assertEqual(pages, [(["PUT"], {"Ref": "AllowedOrigins"}, ["ETag"]), (["GET", "HEAD"], ["*"], ["ETag"])])
        self.assertCountEqual(rules[0]["AllowedHeaders"], ["content-type", "if-none-match"])
        handshake = self.variables()["WsConnectFunction"].get("ALLOWED_ORIGINS")
        self.assertEqual(handshake, {"Fn::Join": [",", {"Ref": "AllowedOrigins"}]})

    # ------------------------------------------------------------ the stack as a whole

    def test_several_stacks_fit_into_one_account(self):
        unique = {
            LOG_GROUP: "LogGroupName", ALARM: "AlarmName", DASHBOARD: "DashboardName", FUNCTION: "FunctionName", ROLE: "RoleName",
            BUCKET: "BucketName", STATE_MACHINE: "StateMachineName", SCHEDULE: "Name",
        }
        names = [text(p[key]) for kind, key in unique.items() for p in self.t.all(kind).values() if key in p]
        self.assertEqual([name for name in names if "${AWS::StackName}" not in name], [], "the second stack could not be made")

    def test_environments_are_configured(self):
        path = ROOT / "samconfig.toml"
        self.assertTrue(path.exists(), "there is no samconfig.toml")
        self.assertNotRegex(path.read_text(), LOOKS_LIKE_A_SECRET)
        environments = tomllib.loads(path.read_text())
        self.assertEqual({"dev", "prod"} - environments.keys(), set())
        for name in ("dev", "prod"):
            with self.subTest(name):
                commands = environments[name]
                deploy = {**commands.get("global", {}).get("parameters", {}), **commands["deploy"]["parameters"]}
                self.assertEqual(deploy["stack_name"], f"motionboard-{name}")
                self.assertIn("CAPABILITY_IAM", deploy["capabilities"])
                given = CfnParameterOverridesType().convert(deploy.get("parameter_overrides"), None, None)
                self.assertEqual(given.keys() - self.t.parameters.keys(), set())
                # What the deployer has to fill in is `<…>`, which CloudFormation refuses.
                filled_in = {parameter: value for parameter, value in given.items() if not re.fullmatch("<.+>", value)}
                self.assertEqual({p: value for p, value in filled_in.items() if not self.t.accepts(p, value)}, {})

    def test_the_outputs_are_the_addresses(self):
        gateway = ".execute-api.${AWS::Region}.${AWS::URLSuffix}"
        wanted = {
            "RestUrl": f"https://${{{self.t.rest_api()[0]}}}{gateway}",
            "WebSocketUrl": f"wss://${{{self.t.websocket_api()[0]}}}{gateway}/{text(self.t.stages()['WebSocket']['StageName'])}",
            "ImagesOrigin": f"https://${{{self.t.only(BUCKET)[0]}.RegionalDomainName}}",
        }
        outputs = {name: text(output["Value"]) for name, output in self.t.outputs.items()}
        self.assertEqual({name: outputs.get(name) for name in wanted}, wanted)

    def test_everything_that_is_referred_to_exists(self):
        names = {name for kind, name in references(self.t.document) if kind == "name" and not name.startswith("AWS::")}
        self.assertEqual(names - self.t.resources.keys() - self.t.parameters.keys(), set())

    def test_every_parameter_and_every_condition_is_used(self):
        # Of the source, since the translator puts in the values of some. A rule checks a parameter, and does not use it.
        used = set(references([self.t.source[section] for section in ("Globals", "Conditions", "Resources", "Outputs")]))
        self.assertEqual(self.t.parameters.keys() - {name for kind, name in used if kind == "name"}, set())
        self.assertEqual({name for kind, name in used if kind == "condition"}, self.t.conditions.keys())


MutationTest.cases = (TemplateTest, SecurityTest)

if __name__ == "__main__":
    unittest.main()
