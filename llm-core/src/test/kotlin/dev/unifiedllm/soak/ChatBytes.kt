package dev.unifiedllm.soak

import kotlin.time.Duration

/** Responses of OpenAI's chat wire as bytes. */
internal object ChatBytes {
    private const val USAGE = """"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}"""

    /** The head of a stream. */
    const val HEAD: String = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    fun chunk(text: String): String = "${text.length.toString(16)}\r\n$text\r\n"

    fun event(json: String): String = "data: $json\n\n"

    fun text(text: String): String = event("""{"choices":[{"index":0,"delta":{"content":"$text"}}]}""")

    /** The first event, without content. */
    val opening: String = chunk(event("""{"id":"r1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"""))

    /** The last events, and the end of the body. */
    val ending: String = chunk(
        event("""{"id":"r1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""") + event("""{"id":"r1","choices":[],$USAGE}""") +
            event("[DONE]"),
    ) + chunk("")

    /** A whole stream of [texts], with a pause after each of its pieces if [pause] is not zero. */
    fun stream(texts: List<String>, pause: Duration = Duration.ZERO): Iterator<Step> {
        val pieces = listOf(HEAD + opening) + texts.map { chunk(text(it)) } + ending
        if (pause == Duration.ZERO) return listOf(Step.Send(pieces.joinToString(""))).iterator()
        return pieces.flatMap { listOf(Step.Send(it), Step.Wait(pause)) }.iterator()
    }

    /** A response in one piece. */
    fun whole(text: String): String = json("200 OK", message("""{"role":"assistant","content":"$text"}""", "stop"))

    /** The body of a response in one piece. */
    fun message(message: String, reason: String): String =
        """{"id":"r1","object":"chat.completion","model":"m","choices":[{"index":0,"message":$message,"finish_reason":"$reason"}],$USAGE}"""

    fun error(status: String, type: String, vararg headers: String): String =
        json(status, """{"error":{"message":"scripted","type":"$type","code":"$type"}}""", *headers)

    fun json(status: String, body: String, vararg headers: String): String =
        "HTTP/1.1 $status\r\nContent-Type: application/json\r\n${headers.joinToString("") { "$it\r\n" }}Content-Length: ${body.length}\r\n\r\n$body"
}
