package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldStartWith
import java.util.Base64

private val png = Base64.getDecoder().decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAMBAQDJ/pLvAAAAAElFTkSuQmCC")

private fun llm(server: LoopbackServer) = Llm.builder().retry { maxRetries = 0 }.environment { null }
    .provider("local") {
        protocol = "openai-chat"
        baseUrl = "${server.url}/v1"
    }
    .build()

/** A chat server whose answer has an image at [url], and the image itself. */
private fun server(url: (server: String) -> String): LoopbackServer {
    lateinit var own: String
    return LoopbackServer { request ->
        if (request.path.endsWith("/a.png")) {
            head(200, "Content-Type" to "image/png", "Content-Length" to png.size.toString())
            write(png)
        } else {
            val image = """{"type":"image_url","image_url":{"url":"${url(own)}"}}"""
            sse(
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Here\",\"images\":[$image]}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
                "data: [DONE]\n\n",
            )
        }
    }.also { own = it.url }
}

private class LastOutput : CellOutput {
    var last = Rendered.NOTHING

    override fun show(rendered: Rendered) {
        last = rendered
    }

    override fun update(rendered: Rendered): Unit = show(rendered)
}

/** Images of chat responses that stand at a URL: they are in the notebook by content, downloaded under the policy for URLs. */
class ImagesAtUrlsSpec : FunSpec({
    val shown = "data:image/png;base64,${Base64.getEncoder().encodeToString(png)}"

    test("an image of the model's own server is shown in the card, and in the card that is shown again") {
        server { "$it/a.png" }.use { server ->
            llm(server).use { llm ->
                val reply = llm.chat("local/m", "Draw")
                val output = LastOutput()
                follow(reply, output)
                output.last.page().all("img").map { it.attr("src") } shouldContainExactly listOf(shown)
                val requests = server.requests.size
                finalCard(reply).page().all("img").map { it.attr("src") } shouldContainExactly listOf(shown)
                server.requests.size shouldBe requests
            }
        }
    }

    test("an image at an address of another server in a private network stays a link, and is not requested") {
        LoopbackServer { whole("secret") }.use { private ->
            server { "${private.url}/a.png" }.use { server ->
                llm(server).use { llm ->
                    val output = LastOutput()
                    follow(llm.chat("local/m", "Draw"), output)
                    output.last.page().state shouldBe "done"
                    output.last.page().all("img").shouldBeEmpty()
                    output.last.page().all("a").single().wholeText() shouldStartWith "image at 127.0.0.1"
                    private.requests.shouldBeEmpty()
                }
            }
        }
    }

    test("a comparison has them in its columns") {
        server { "$it/a.png" }.use { server ->
            llm(server).use { llm ->
                val output = LastOutput()
                followComparison(llm.compare("local/m", "local/n") { user("Draw") }, output)
                Regex("src=\"([^\"]+)\"").findAll(output.last.html).map { it.groupValues[1] }.toList() shouldContainExactly listOf(shown, shown)
            }
        }
    }

    test("a chat widget has it in the answer, and in its transcript") {
        server { "$it/a.png" }.use { server ->
            llm(server).use { llm ->
                val widget = chatWidget("local/m", llm = llm)
                widget.ask("Draw").get()
                Regex("src=\"([^\"]+)\"").findAll(widget.transcript().html).map { it.groupValues[1] }.toList() shouldContainExactly listOf(shown)
            }
        }
    }
})
