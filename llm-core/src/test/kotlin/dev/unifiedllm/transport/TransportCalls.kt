package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.transport.error.NetworkErrors
import java.io.ByteArrayOutputStream
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** The errors of calls to the model `own/m`, of which nothing more is known. */
internal val callErrors: NetworkErrors = NetworkErrors(LlmException.Details(ModelId("own", "m")))

internal const val TEST_KEY: String = "sk-test-transport"

/** Posts [body] with a key and returns the body of the response. */
internal suspend fun Transport.post(
    url: String,
    body: String = "hi",
    firstByte: Duration = 10.seconds,
    connect: Duration? = null,
    method: String = "POST",
): String {
    val request = TransportRequest(url, listOf("Authorization" to "Bearer $TEST_KEY"), body.encodeToByteArray(), method = method)
    return exchange(request, HeadDeadlines(firstByte, callErrors, connect)) { it.text() }
}

internal suspend fun TransportResponse.text(): String {
    val body = ByteArrayOutputStream()
    while (true) {
        val count = read()
        if (count < 0) return body.toString(Charsets.UTF_8)
        body.write(bytes, 0, count)
    }
}
