package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import java.util.concurrent.CopyOnWriteArrayList

class CallChainSpec : FunSpec({
    fun noting(names: MutableList<String>, name: String) = Interceptor { request, next ->
        linkFlow {
            names += "$name ${next.id}"
            next.stream(request).collect(this)
        }
    }

    test("interceptors stand at the level that they name: around the call, the step, each target, each attempt") {
        val names = CopyOnWriteArrayList<String>()
        client {
            for (level in Level.entries.reversed()) {
                intercept(noting(names, "$level 1"), level)
                intercept(noting(names, "$level 2"), level)
            }
        }.use { llm ->
            llm.chat("demo/error") {
                user("hi")
                fallback("demo/echo")
            }.await()
        }
        names shouldContainExactly listOf(
            "CALL 1 demo/error", "CALL 2 demo/error", "STEP 1 demo/error", "STEP 2 demo/error",
            "TARGET 1 demo/error", "TARGET 2 demo/error", "ATTEMPT 1 demo/error", "ATTEMPT 2 demo/error",
            "TARGET 1 demo/echo", "TARGET 2 demo/echo", "ATTEMPT 1 demo/echo", "ATTEMPT 2 demo/echo",
        )
    }

    test("an interceptor of an attempt that repeats it writes a row for each; one of the call sees the cost") {
        val seen = CopyOnWriteArrayList<Delta.Finish>()
        client {
            price("my/own") {
                inputPerMillion = Usd.of("1000000")
                outputPerMillion = Usd.of("0")
            }
            intercept(
                { request, next ->
                    linkFlow {
                        next.stream(request).collect { }
                        next.stream(request).collect(this)
                    }
                },
                Level.TARGET,
            )
            intercept({ request, next ->
                linkFlow {
                    next.stream(request).collect {
                        if (it is Delta.Finish) seen += it
                        emit(it)
                    }
                }
            }, Level.CALL)
        }.use { llm ->
            llm.chat(saying("my/own", "a"), "hi").await()
            llm.costs().single().calls shouldBe 2
            seen.single().cost.usd() shouldBe Usd.of("3")
        }
    }
})
