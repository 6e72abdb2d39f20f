package dev.unifiedllm.chat

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.maps.shouldContainExactly
import io.kotest.matchers.string.shouldContain

class ExtraHeaderSpec : FunSpec({
    context("what HTTP cannot carry is refused where it is written:") {
        withData<Pair<String, String>>(
            { "${it.first} = ${it.second}" },
            "X-Name" to "Zoë",
            "X-Name" to "a\nb",
            "X-Name" to "a\u0000b",
            "X-Name" to "日本",
            "Näme" to "a",
            "X Name" to "a",
            "X:Name" to "a",
            "" to "a",
            "Authorization" to "Bearer x",
            "Content-Length" to "3",
        ) { (name, value) ->
            val refused = shouldThrow<IllegalArgumentException> { ChatRequest.build("a/b") { extraHeader(name, value) } }
            refused.message!! shouldContain "header"
        }
    }

    test("what HTTP can carry is kept: every visible character, blanks and tabs, and all characters of a token in a name") {
        val request = ChatRequest.build("a/b") {
            extraHeader("X-Trace_1.2", "a b\tc; d=\"e\", ~!")
            extraHeader("x!#$%&'*+^`|~", "")
        }
        request.extraHeaders shouldContainExactly mapOf("X-Trace_1.2" to "a b\tc; d=\"e\", ~!", "x!#$%&'*+^`|~" to "")
    }
})
