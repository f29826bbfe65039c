"""The tests of the template see what they are there to see: each line breaks the template, and its test has to notice."""

import unittest

from translated import Template

DELETE = object()


def function(name):
    return f"Resources/{name}Function/Properties"


def statement(role, index):
    return f"Resources/{role}Role/Properties/Policies/0/PolicyDocument/Statement/{index}"


def metric(alarm, index):
    return f"Resources/{alarm}Alarm/Properties/Metrics/{index}/MetricStat/Metric"


def permission(principal):
    what = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "PollVideoFunction"}, "Principal": principal}
    return {"Type": "AWS::Lambda::Permission", "Properties": what}


def replace(old, new):
    return lambda text: text.replace(old, new)


API, SOCKET, BUCKET = (f"Resources/{name}/Properties" for name in ("HttpApi", "WebSocketApi", "ImagesBucket"))
STATES = "Definition/States"  # of the state machine
MACHINE, EVENT = "Resources/VideoPollingStateMachine/Properties", f"{function('SweepStale')}/Events/EveryMinute/Properties"
ROUTE_RESPONSE = "Resources/WebSocketApiDefaultRouteResponse"
REST_LOG, SOCKET_LOG = f"{API}/AccessLogSettings/Format", f"{SOCKET}/AccessLogSettings/Fn::If/1/Format"
DASHBOARD = "Resources/Dashboard/Properties/DashboardBody/Fn::Sub"
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${ImagesBucket.Arn}/*"}}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}, "Policies": []}}

# The end of the test's name; where; and what is put there: a value, nothing (DELETE), or what a function makes of what was there.
# A number leads into a list, and one beyond its end is added.
MUTATIONS = {
    "every_rest_route_and_no_other_reaches_its_function": [
        (f"{function('ListWorkspaces')}/Events/Get/Properties/Path", "/api/workspace"),
        (f"{function('ListWorkspaces')}/Events/Get/Properties/Method", "ANY"),
        (f"{function('ListWorkspaces')}/Events/Get/Properties/PayloadFormatVersion", "1.0"),
        (f"{function('ListWorkspaces')}/Events", DELETE),
        (f"{function('PollVideo')}/Events", {"Any": {"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "HttpApi"}}}}),
    ],
    "every_websocket_route_and_no_other_reaches_its_function": [
        (f"{SOCKET}/Routes/$connect/FunctionArn/Fn::GetAtt/0", "WsDisconnectFunction"),
        (f"{SOCKET}/Routes/ping", {"FunctionArn": {"Fn::GetAtt": ["WsMessageFunction", "Arn"]}}),
        (f"{SOCKET}/Routes/$disconnect", DELETE),
        (f"{SOCKET}/RouteSelectionExpression", "$request.body.action"),
    ],
    "a_frame_is_answered_on_its_socket": [
        (f"{SOCKET}/Routes/$default/RouteResponseSelectionExpression", DELETE),
        (f"{ROUTE_RESPONSE}/Properties/RouteId/Ref", "WebSocketApiConnectRoute"),
        (ROUTE_RESPONSE, DELETE),
    ],
    "only_api_gateway_may_invoke_a_function_and_only_for_its_routes": [
        ("Resources/Extra", permission("apigateway.amazonaws.com")),
        ("Resources/Extra", permission("*")),
        (f"{SOCKET}/Routes/ping", {"FunctionArn": {"Fn::GetAtt": ["PollVideoFunction", "Arn"]}}),
    ],
    "the_two_apis_are_the_only_way_in": [
        (f"{function('ListWorkspaces')}/FunctionUrlConfig", {"AuthType": "NONE"}),
        ("Resources/Other", {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "HTTP"}}),
        (f"{function('PollVideo')}/Events", {"Often": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 minute)"}}}),
    ],
    "the_sweeper_is_called_each_minute": [
        (f"{EVENT}/ScheduleExpression", "rate(2 minutes)"),
        (f"{EVENT}/State", "DISABLED"),
        (f"{EVENT}/FlexibleTimeWindow", {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}),
        (f"{function('SweepStale')}/Events", DELETE),
    ],
    "every_task_of_the_state_machine_calls_its_function": [
        (f"{MACHINE}/DefinitionSubstitutions/PollVideoFunctionArn/Fn::GetAtt/0", "SweepStaleFunction"),
        (f"{MACHINE}/DefinitionSubstitutions/KeepVideoFunctionArn/Fn::GetAtt/0", "PollVideoFunction"),
        (f"{MACHINE}/DefinitionSubstitutions/KeepVideoFunctionArn", DELETE),
        (f"{MACHINE}/DefinitionSubstitutions", {"PollFunctionArn": {"Fn::GetAtt": ["PollVideoFunction", "Arn"]}}),
        (f"{STATES}/Keep/Parameters/FunctionName", "${PollVideoFunctionArn}"),
        (f"{STATES}/Keep/Parameters/FunctionName", "keep-video"),
        (f"{STATES}/GiveUp/Parameters/Payload.$", "$.failure"),
        (f"{STATES}/Keep/Resource", "arn:aws:states:::lambda:invoke.waitForTaskToken"),
        (f"{STATES}/Another", {"Type": "Task", "Parameters": {"FunctionName": "${PollVideoFunctionArn}"}}),
        (f"{STATES}/Keep", DELETE),
    ],
    "every_function_ends_before_nobody_waits_for_it": [
        ("Globals/Function/Timeout", 29),
        (f"{function('SweepStale')}/Timeout", 60),
        (f"{function('WsMessage')}/Timeout", 30),
        (f"{function('GetVideo')}/Timeout", 29),
        (f"{function('PollVideo')}/Timeout", 60),
        (f"{function('KeepVideo')}/Timeout", 901),
        (f"{STATES}/Keep/TimeoutSeconds", 900),
        (f"{STATES}/Keep/TimeoutSeconds", DELETE),
        (f"{STATES}/GiveUp/TimeoutSeconds", 28),
    ],
    "every_function_runs_on_the_same_and_is_logged_and_traced": [
        ("Globals/Function/MemorySize", DELETE),
        ("Globals/Function/Tracing", DELETE),
        (f"{function('GetUpload')}/Tracing", "PassThrough"),
        (f"{function('GetUpload')}/Runtime", "provided.al2"),
        (f"{function('GetUpload')}/Architectures", ["arm64"]),
        (f"{function('GetUpload')}/LoggingConfig", {"LogFormat": "Text"}),
        ("Globals/Function/LoggingConfig/LogGroup", DELETE),
        ("Globals/Function/LoggingConfig/LogGroup", "/aws/lambda/somewhere"),
        ("Globals/Function/Environment/Variables/STACK_NAME", DELETE),
    ],
    "concurrency_is_reserved_on_demand_and_for_what_holds_connections_to_the_database": [
        (f"{function('WsConnect')}/ReservedConcurrentExecutions", DELETE),
        (f"{function('WsConnect')}/ReservedConcurrentExecutions", 20),
        (f"{function('GetUpload')}/Environment/Variables/MONGODB_URI_ARN", {"Ref": "MongoUriArn"}),
        ("Parameters/ReservedConcurrency/Default", "10"),
        ("Conditions/HasReservedConcurrency", {"Fn::Equals": [{"Ref": "ReservedConcurrency"}, "on"]}),
    ],
    "the_state_machine_is_traced_and_logged_without_what_it_works_on": [
        (f"{MACHINE}/Tracing/Enabled", False),
        (f"{MACHINE}/Logging/IncludeExecutionData", True),
        (f"{MACHINE}/Logging/Level", "OFF"),
    ],
    "every_log_is_forgotten_some_day": [
        ("Resources/VideoPollingLogs/Properties/RetentionInDays", DELETE),
        ("Parameters/LogRetentionDays/AllowedValues/0", "2"),
    ],
    "both_apis_are_throttled": [
        (f"{API}/DefaultRouteSettings", DELETE),
        (f"{API}/DefaultRouteSettings/ThrottlingBurstLimit", DELETE),
        (f"{SOCKET}/DefaultRouteSettings/ThrottlingRateLimit/Ref", "RestRequestsPerSecond"),
        ("Parameters/RestRequestsPerSecond/Default", "0"),
    ],
    "every_metric_that_is_looked_at_exists": [
        ("Resources/RestFailuresAlarm/Properties/MetricName", "5XXError"),
        ("Resources/PushFailuresAlarm/Properties/MetricName", "PushFailures"),
        ("Resources/PushFailuresAlarm/Properties/Dimensions/0/Name", "StackName"),
        ("Resources/SweeperAlarm/Properties/Dimensions/0/Value/Ref", "SweepStaleRole"),
        ("Resources/WebSocketFailuresAlarm/Properties/MetricName", "5xx"),
        ("Resources/WebSocketFailuresAlarm/Properties/Dimensions/1/Value", "$default"),
        (f"{metric('Executions', 1)}/Namespace", "AWS/StepFunctions"),
        (DASHBOARD, replace('"Latency"', '"Latencies"')),
        (DASHBOARD, replace('"VendorTime"', '"VendorTimes"')),
    ],
    "every_metric_of_ours_is_looked_at": [
        (DASHBOARD, replace('"ColdStarts"', '"Conflicts"')),
        (DASHBOARD, replace('"KeepTime"', '"VendorTime"')),
    ],
    "no_function_fails_or_is_throttled_unheard": [
        ("Resources/FunctionErrorsAlarm/Properties/Metrics/7", DELETE),
        ("Resources/VideoFunctionErrorsAlarm/Properties/Metrics/5", DELETE),
        (f"{metric('VideoFunctionThrottles', 3)}/Dimensions/0/Value/Ref", "PollVideoFunction"),
        (f"{metric('FunctionThrottles', 7)}/Dimensions/0/Value/Ref", "GetVideoFunction"),
        ("Resources/VideoFunctionThrottlesAlarm", DELETE),
        ("Resources/AnotherFunction", {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "x"}}),
    ],
    "every_alarm_can_go_off_and_be_heard": [
        ("Resources/SweeperAlarm/Properties/TreatMissingData", DELETE),
        ("Resources/SweeperAlarm/Properties/AlarmActions", DELETE),
        ("Resources/SweeperAlarm/Properties/AlarmActions", [{"Ref": "AlarmTopicArn"}]),
        ("Resources/SweeperAlarm/Properties/ActionsEnabled", False),
        ("Resources/ExecutionsAlarm/Properties/Metrics/1/ReturnData", True),
        ("Resources/FunctionErrorsAlarm/Properties/Metrics", lambda metrics: metrics + metrics[1:5]),
        ("Conditions/HasAlarmTopic", {"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}),
    ],
    "somebody_is_told_of_the_first_refusal_that_only_he_can_mend": [
        ("Resources/VendorAccountAlarm", DELETE),
        ("Resources/VendorAccountAlarm/Properties/MetricName", "VendorErrors"),
        ("Resources/VendorAccountAlarm/Properties/Statistic", "Average"),
        ("Resources/VendorAccountAlarm/Properties/Threshold", 3),
        ("Resources/VendorAccountAlarm/Properties/ComparisonOperator", "GreaterThanThreshold"),
        ("Resources/VendorAccountAlarm/Properties/EvaluationPeriods", 2),
        ("Resources/VendorAccountAlarm/Properties/Period", 3600),
        ("Resources/VendorAccountAlarm/Properties/TreatMissingData", "breaching"),
    ],
    "the_dashboard_has_neither_gaps_nor_overlaps": [
        (DASHBOARD, replace('"x": 12, "y": 12, "width": 6', '"x": 12, "y": 12, "width": 8')),
        (DASHBOARD, replace('"x": 18, "y": 12, "width": 6', '"x": 18, "y": 12, "width": 5')),
        (DASHBOARD, replace('"x": 0, "y": 18', '"x": 0, "y": 12')),
    ],
    "the_dashboard_asks_for_logs_that_exist": [(DASHBOARD, replace("${FunctionLogs}", "/aws/lambda/motionboard"))],
    "pictures_are_kept_and_not_public": [
        ("Resources/ImagesBucket/DeletionPolicy", DELETE),
        ("Resources/ImagesBucket/UpdateReplacePolicy", "Delete"),
        (f"{BUCKET}/PublicAccessBlockConfiguration/BlockPublicPolicy", False),
        (f"{BUCKET}/BucketEncryption", DELETE),
        (f"{BUCKET}/OwnershipControls/Rules/0/ObjectOwnership", "ObjectWriter"),
        (f"{BUCKET}/VersioningConfiguration", DELETE),
        (f"{BUCKET}/LifecycleConfiguration/Rules/0/ExpirationInDays", 30),
        (f"{BUCKET}/LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration/NoncurrentDays", 1),
    ],
    "pages_of_the_allowed_origins_may_do_what_the_contract_says": [
        (f"{API}/CorsConfiguration/AllowOrigins", ["*"]),
        (f"{API}/CorsConfiguration/AllowHeaders/0", "*"),
        (f"{API}/CorsConfiguration/ExposeHeaders/1", DELETE),
        (f"{API}/CorsConfiguration/AllowMethods/3", "DELETE"),
        (f"{BUCKET}/CorsConfiguration/CorsRules/0/AllowedOrigins", ["*"]),
        (f"{BUCKET}/CorsConfiguration/CorsRules/0/AllowedHeaders", ["*"]),
        (f"{BUCKET}/CorsConfiguration/CorsRules/1/AllowedMethods/2", "DELETE"),
        (f"{function('WsConnect')}/Environment/Variables/ALLOWED_ORIGINS", "*"),
    ],
    "several_stacks_fit_into_one_account": [
        ("Resources/FunctionLogs/Properties/LogGroupName", "/motionboard/functions"),
        (f"{function('GetUpload')}/FunctionName", "get-upload"),
        (EVENT, {"ScheduleExpression": "rate(1 minute)"}),  # SAM gives it a name of its own
    ],
    "the_outputs_are_the_addresses": [
        ("Outputs/RestUrl", DELETE),
        ("Outputs/WebSocketUrl/Value/Fn::Sub", replace("/${Stage}", "/prod")),
        ("Outputs/ImagesOrigin/Value/Fn::Sub", replace("RegionalDomainName", "DomainName")),
    ],
    "everything_that_is_referred_to_exists": [
        (f"{function('GetUpload')}/Environment/Variables/IMAGES_BUCKET/Ref", "PicturesBucket"),
        ("Outputs/DashboardUrl/Value/Fn::Sub", replace("${Dashboard}", "${DashBoard}")),
    ],
    "every_parameter_and_every_condition_is_used": [
        ("Parameters/Unused", {"Type": "String", "Default": ""}),
        (f"{function('SuggestParams')}/Environment/Variables/CHAT_MODEL", DELETE),
        ("Conditions/Unused", {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}),
        (f"{statement('SuggestParams', 4)}/Fn::If/0", "HasChatKeys"),
    ],
    "every_role_may_do_what_the_list_says_and_nothing_else": [
        (statement("ListWorkspaces", 9), ALLOW),
        (statement("UploadImage", 4), DELETE),
        (f"{statement('UploadImage', 4)}/Resource", {"Fn::GetAtt": ["ImagesBucket", "Arn"]}),
        (f"{statement('UploadImage', 4)}/Condition", {"Bool": {"aws:SecureTransport": "true"}}),
        (f"{statement('UploadImage', 3)}/Fn::If/0", "HasChatKey"),
        (f"{statement('UploadImage', 4)}/Effect", "Deny"),
        (f"{statement('UploadImage', 4)}/NotAction", "s3:DeleteObject"),
        ("Resources/PollVideoRole/Properties/Policies/1", {"PolicyName": "more", "PolicyDocument": {"Statement": ALLOW}}),
        (statement("PollVideo", 3), DELETE),
        (f"{statement('GetVideo', 3)}/Resource/Fn::Sub", replace("/videos/*", "/*")),
        (f"{statement('KeepVideo', 5)}/Resource/Fn::Sub", replace("/videos/*", "/*")),
        (f"{statement('KeepVideo', 5)}/Action/4", "s3:PutObjectAcl"),
        (f"{statement('KeepVideo', 5)}/Action/2", DELETE),
        ("Resources/ExtraRole", ROLE),
        (f"{function('GetUpload')}/Role", DELETE),
    ],
    "no_right_is_wider_than_it_has_to_be": [
        (f"{statement('UploadImage', 4)}/Action", "s3:*"),
        (f"{statement('UploadImage', 4)}/Resource", "*"),
        (f"{statement('VideoPolling', 2)}/Action/1", DELETE),
    ],
    "rights_are_given_by_roles_alone": [
        ("Resources/UploadImageRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]),
        ("Resources/Extra", {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "UploadImageRole"}]}}),
    ],
    "the_state_machine_may_invoke_what_its_tasks_call_and_nothing_else": [
        (f"{statement('VideoPolling', 0)}/Resource/1", DELETE),
        (f"{statement('VideoPolling', 0)}/Resource/2", {"Fn::GetAtt": ["SweepStaleFunction", "Arn"]}),
        (f"{statement('VideoPolling', 0)}/Action", "lambda:*"),
        (f"{STATES}/Keep", DELETE),
        (f"{MACHINE}/Role/Fn::GetAtt/0", "PollVideoRole"),
    ],
    "only_the_service_that_uses_a_role_may_take_it_on": [
        ("Resources/GetUploadRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal", {"AWS": "*"}),
        ("Resources/GetUploadRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/AWS", "123456789012"),
        ("Resources/GetUploadRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service", "states.amazonaws.com"),
        ("Resources/ExtraRole", ROLE),
    ],
    "every_function_has_its_own_role": [
        (f"{function('GetUpload')}/Role/Fn::GetAtt/0", "UploadImageRole"),
        (f"{function('GetUpload')}/Role", "arn:aws:iam::123456789012:role/admin"),
    ],
    "a_function_may_use_what_its_environment_names_and_nothing_else": [
        (f"{function('ListWorkspaces')}/Environment/Variables/CHAT_KEY_ARN", {"Ref": "ChatKeyArn"}),
        (f"{function('WsConnect')}/Environment/Variables/AUTH_SECRET_ARN", DELETE),
        (f"{function('PollVideo')}/Environment/Variables/WEBSOCKET_API_URL", DELETE),
        (statement("SweepStale", 3), DELETE),
        (statement("ListWorkspaces", 9), ALLOW),
        (f"{function('KeepVideo')}/Environment/Variables/IMAGES_BUCKET", DELETE),
        (f"{function('KeepVideo')}/Environment/Variables/VIDEO_VENDOR_KEY_ARN", {"Ref": "VideoVendorKeyArn"}),
    ],
    "the_bucket_is_only_for_tls": [
        ("Resources/ImagesBucketPolicy/Properties/PolicyDocument/Statement/0/Condition/Bool/aws:SecureTransport", "true"),
        ("Resources/ImagesBucketPolicy/Properties/PolicyDocument/Statement/0/Resource/1", DELETE),
        ("Resources/ImagesBucketPolicy/Properties/PolicyDocument/Statement/1", {**ALLOW, "Principal": "*"}),
    ],
    "the_access_log_of_rest_is_always_there_and_tells_nothing_private": [
        (REST_LOG, replace("$context.routeKey", "$context.path")),
        (REST_LOG, replace("$context.status", "$context.authorizer.principalId")),
        (REST_LOG, replace("$context.status", "$request.header.authorization")),
        (REST_LOG, replace("$context.requestId", "$context.extendedRequestId")),
        (f"{API}/AccessLogSettings", {"Fn::If": ["HasWebSocketAccessLogs", {}, {"Ref": "AWS::NoValue"}]}),
        (f"{API}/AccessLogSettings/DestinationArn/Fn::GetAtt/0", "ImagesBucket"),
    ],
    "the_access_log_of_the_websocket_is_there_on_demand_and_tells_nothing_private": [
        (SOCKET_LOG, replace("$context.error.message", "$context.identity.userAgent")),
        (SOCKET_LOG, replace("$context.status", "$context.responseLatency")),  # which only REST knows
        (f"{SOCKET}/AccessLogSettings/Fn::If/0", "HasAlarmTopic"),
        ("Resources/WebSocketAccessLogGroup/Condition", DELETE),
        ("Parameters/WebSocketAccessLogs/Default", "on"),
    ],
    "every_parameter_says_what_it_is_and_what_it_takes": [
        ("Parameters/Stage/Description", DELETE),
        ("Parameters/Stage/AllowedPattern", DELETE),
        ("Parameters/Stage/ConstraintDescription", DELETE),
        ("Parameters/Stage/Type", "Number"),
        ("Parameters/Authentication/AllowedValues/2", False),
        ("Parameters/New", {"Type": "String", "Description": "Something new"}),
    ],
    "every_default_is_accepted": [
        ("Parameters/PollSeconds/Default", "61"),
        ("Parameters/LogRetentionDays/Default", "31"),
        ("Parameters/TokenOwnerClaim/Default", ""),
        ("Parameters/MaxImageRatio/Default", "2.5 "),
        ("Parameters/ChatOptions/Default", "[]"),
    ],
    "what_functions_could_not_start_with_is_refused": [
        ("Parameters/VideoVendor/AllowedValues/4", "veo"),
        ("Parameters/VideoVendor/AllowedValues/3", DELETE),
        ("Parameters/VideoOptions/AllowedPattern", ".*"),
        ("Parameters/VideoOptions/AllowedPattern", "\\{.*"),
        ("Parameters/VideoOptions/AllowedPattern", "\\{[^{}]*\\}"),
        ("Parameters/VideoOptions/AllowedPattern", "[{\\[].*[}\\]]"),
        ("Parameters/VideoModel/AllowedPattern", ".*"),
        ("Parameters/VideoModel/AllowedPattern", "[A-Za-z0-9_-]{0,128}"),
        ("Parameters/KeepVideos/AllowedValues", DELETE),
        ("Parameters/KeepVideos/AllowedValues/2", "true"),
    ],
    "who_is_let_in_has_to_be_said": [("Parameters/Authentication/Default", "off")],
    "secrets_are_named_and_never_given": [
        ("Parameters/MongoUriArn/AllowedPattern", ".+"),
        ("Parameters/AuthSecretArn/AllowedPattern", "(arn:.*)?"),
        ("Parameters/ChatKeyArn/Default", "arn:aws:secretsmanager:us-east-1:123456789012:secret:ours-AbCdEf"),
        ("Parameters/ChatKey", {"Type": "String", "NoEcho": True}),
        ("Parameters/Pin", {"Type": "String", "NoEcho": True, "Default": "0000"}),
        (f"{function('SuggestParams')}/Environment/Variables/CHAT", "{{resolve:secretsmanager:chat}}"),
        (f"{statement('SuggestParams', 4)}/Fn::If/1/Resource/Ref", "AlarmTopicArn"),
    ],
    "no_environment_has_a_secret": [
        (f"{function('SuggestParams')}/Environment/Variables/CHAT_KEY", {"Ref": "ChatKeyArn"}),
        ("Globals/Function/Environment/Variables/MONGODB_PASSWORD_FOR_ALL", "x"),
        (f"{function('SuggestParams')}/Environment/Variables/CHAT_KEY_ARN", "sk-0123456789abcdef"),
    ],
}


def change(source, path, to):
    *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    for key in parents:
        source = source[key]
    if to is DELETE:
        del source[last]
    elif isinstance(source, list) and last >= len(source):
        source.append(to)
    else:
        source[last] = to(source[last]) if callable(to) else to


class MutationTest(unittest.TestCase):
    cases = ()

    def test_every_mutation_is_noticed_by_its_test(self):
        found = {name: case for case in self.cases for name in unittest.defaultTestLoader.getTestCaseNames(case)}
        for test, mutations in MUTATIONS.items():
            for path, to in mutations:
                with self.subTest(test, path=path, to=to):
                    case = found[f"test_{test}"](f"test_{test}")
                    case.t = Template(lambda source: change(source, path, to))
                    self.assertTrue(case.t.is_changed, "nothing was changed")
                    result = case.run(unittest.TestResult())
                    self.assertEqual([trace for _, trace in result.errors], [], "noticed, but not understood")
                    self.assertTrue(result.failures, "not noticed")

    def test_every_test_has_its_mutations(self):
        # These look at other files than the template.
        others = {"the_documented_rest_routes_are_those_of_the_contract", "environments_are_configured"}
        tests = {name for case in self.cases for name in unittest.defaultTestLoader.getTestCaseNames(case)}
        self.assertEqual({f"test_{test}" for test in MUTATIONS.keys() | others}, tests)
