package dev.unifiedllm.transport.error

/**
 * The HTTP status that the [name] of an error means; null if it means none. Providers write the same name in several ways: `BAD_REQUEST`,
 * `BadRequestError`, `badRequestException`, `litellm.BadRequestError`.
 */
internal fun statusNamed(name: String): Int? {
    val bare = name.substringAfterLast('.').filter { it.isLetter() }.lowercase().removeSuffix("exception").removeSuffix("error")
    return NAMES[bare] ?: 400.takeIf { bare.startsWith("invalid") }
}

private val NAMES: Map<String, Int> = mapOf(
    400 to listOf("badrequest", "validation", "failedprecondition", "outofrange", "unsupportedvalue", "unsupportedparameter", "missingrequiredparameter"),
    401 to listOf("authentication", "unauthenticated", "unauthorized", "invalidapikey", "invalidauthentication"),
    402 to listOf("paymentrequired"),
    403 to listOf("permission", "permissiondenied", "forbidden"),
    404 to listOf("notfound", "modelnotfound"),
    409 to listOf("conflict", "aborted"),
    413 to listOf("requesttoolarge", "payloadtoolarge"),
    422 to listOf("unprocessableentity"),
    429 to listOf(
        "ratelimit", "ratelimited", "ratelimitexceeded", "userratelimitexceeded", "toomanyrequests", "throttling", "resourceexhausted", "capacityexceeded",
        "servicetiercapacityexceeded",
    ),
    499 to listOf("cancelled", "canceled", "clientclosedrequest"),
    500 to listOf("internal", "internalserver", "server", "api"),
    501 to listOf("unimplemented", "notimplemented"),
    502 to listOf("badgateway"),
    503 to listOf("unavailable", "serviceunavailable"),
    504 to listOf("timeout", "deadlineexceeded", "gatewaytimeout"),
    529 to listOf("overloaded", "engineoverloaded"),
).flatMap { (status, names) -> names.map { it to status } }.toMap()
