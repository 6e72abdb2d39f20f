package dev.unifiedllm.faults

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.Usage
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe

/** That the tests of faults say what servers of the wires say: without a fault, each call succeeds at its first attempt. */
class WiresSpec : FunSpec({
    fun run(title: String) = Registration.Run(0, title, Wire.all, BOTH) {}

    test("each wire that has chats is in the table") {
        Wire.all.map { it.name } shouldContainExactlyInAnyOrder Protocols.names - "stability-image"
    }

    for (delivery in BOTH) {
        context("a response without a fault, ${delivery.name.lowercase()}") {
            withData<Wire>({ it.name }, Wire.all) { wire ->
                val outcome = FaultRun(run("none"), wire, delivery).call { answer() }
                val response = outcome.shouldAnswer()
                response.usage shouldBe Usage.of(12, 5)
                response.warnings shouldBe emptyList()
                outcome.served shouldBe 1
                outcome.text shouldBe "Hello you"
            }
        }
    }

    context("a call of a function") {
        withData<Wire>({ it.name }, Wire.all.filter { it.toolCall != null }) { wire ->
            val response = FaultRun(run("call"), wire, STREAM.single()).call(build = { tool(Tool.of("weather", "Weather", """{"type":"object"}""")) }) {
                head()
                write(wire.opening + wire.toolCall!!)
            }.response!!
            response.toolCalls.map { it.name to it.arguments } shouldBe listOf("weather" to """{"city":"Paris"}""")
        }
    }

    context("an error event after content") {
        withData<Wire>({ it.name }, Wire.all) { wire ->
            val outcome = FaultRun(run("error"), wire, STREAM.single()).call {
                begin("Hello", " you")
                write(wire.overloaded)
            }
            outcome.shouldFail<LlmException>(partial = "Hello you").isRetryable shouldBe true
            outcome.deltas.filterIsInstance<Delta.Text>().map { it.text } shouldBe listOf("Hello", " you")
        }
    }

    context("a keep-alive is no content") {
        withData<Wire>({ it.name }, Wire.all) { wire ->
            FaultRun(run("keep-alive"), wire, STREAM.single()).call {
                begin("Hello")
                write(wire.keepAlive)
                write(wire.text(" you"))
                write(wire.keepAlive)
                end()
            }.shouldAnswer()
        }
    }
})
