package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.TargetResolver
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

private val variables = mapOf("AWS_REGION" to "us-east-1", "VERTEXAI_PROJECT" to "p")
private val environment = Environment { name -> variables[name] ?: "key".takeIf { name.endsWith("_API_KEY") } }
private val resolver = TargetResolver(ProviderRegistry.packed, Protocols, environment, emptyMap())

/** The finish of a response of [model] with [events]. */
private suspend fun finish(model: String, vararg events: String): Delta.Finish {
    val target = resolver.resolve(ModelId.parse(model))
    val type = if (target.wire.streamsJsonLines) "application/x-ndjson" else "text/event-stream"
    val body = events.joinToString("") { if (target.wire.streamsJsonLines) "$it\n" else "data: $it\n\n" }
    val transport = RecordedTransport(200, mapOf("content-type" to type), listOf(body.encodeToByteArray()))
    val wire = Protocols.named(target.protocol)
    val answer = answer(ProtocolModel(target, wire, transport, NO_TIMEOUTS))
    answer.failure?.let { throw it }
    return answer.deltas.last() as Delta.Finish
}

private fun chat(usage: String, more: String = "") =
    arrayOf("""{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]$more}""", """{"choices":[]$more,"usage":$usage}""")

private fun anthropic(usage: String, vararg later: String) = arrayOf(
    """{"type":"message_start","message":{"id":"m","content":[],"model":"claude","usage":{"input_tokens":1000,"output_tokens":1}}}""",
    """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}""",
    """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":$usage}""",
) + later + """{"type":"message_stop"}"""

private fun responses(usage: String, vararg items: String, more: String = "") =
    items.map { """{"type":"response.output_item.done","item":$it}""" }.toTypedArray() + """{"type":"response.output_text.delta","delta":"Hi"}""" +
        """{"type":"response.completed","response":{"id":"r","status":"completed","output":[]$more,"usage":$usage}}"""

private fun gemini(usage: String, grounding: String = "{}") =
    """{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP","groundingMetadata":$grounding}],"usageMetadata":$usage}"""

private class Zero(val model: String, vararg val events: String)

private class Counted(val what: String, val model: String, val usage: String, val input: Long, val output: Long, val reasoning: Long? = null)

private class Terms(val what: String, val billing: Billing, val model: String, vararg val events: String)

private const val PLAIN = """"prompt_tokens":10,"completion_tokens":5,"total_tokens":15"""

class BilledUsageSpec : FunSpec({
    context("a zero after a count does not replace it, on any wire:") {
        withData<Zero>(
            { it.model },
            Zero(
                "openai/m",
                *chat("""{"prompt_tokens":1000,"completion_tokens":100}"""),
                """{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}""",
            ),
            Zero(
                "openai/responses/m",
                """{"type":"response.in_progress","response":{"usage":{"input_tokens":1000,"output_tokens":100}}}""",
                *responses("""{"input_tokens":0,"output_tokens":0}"""),
            ),
            Zero("anthropic/m", *anthropic("""{"input_tokens":0,"output_tokens":100,"cache_read_input_tokens":0}""")),
            Zero(
                "gemini/m",
                """{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":100}}""",
                gemini("""{"promptTokenCount":0,"candidatesTokenCount":0,"totalTokenCount":0}"""),
            ),
            Zero(
                "ollama/m",
                """{"message":{"content":"Hi"},"prompt_eval_count":1000,"eval_count":100}""",
                """{"done":true,"done_reason":"stop","prompt_eval_count":0,"eval_count":0}""",
            ),
            Zero(
                "cohere/m",
                """{"type":"message-start","id":"1","delta":{"message":{}}}""",
                """{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}""",
                """{"type":"message-end","delta":{"finish_reason":"COMPLETE",""" +
                    """"usage":{"tokens":{"input_tokens":1000,"output_tokens":100},"tokens":{"input_tokens":0,"output_tokens":0}}}}""",
            ),
        ) { case ->
            val usage = finish(case.model, *case.events).usage
            (usage?.inputTokens to usage?.outputTokens) shouldBe (1000L to 100L)
        }
    }

    test("a zero is a count where no other came") {
        finish("openai/m", *chat("""{"prompt_tokens":10,"completion_tokens":0}""")).usage shouldBe Usage.of(10, 0)
    }

    test("the usage in an event that Anthropic does not have is not that of the response, wherever its type stands") {
        for (event in listOf("""{"type":"vertex_event","usage":{"input_tokens":9}}""", """{"usage":{"output_tokens":9},"type":"novelty"}""")) {
            finish("anthropic/m", *anthropic("""{"output_tokens":100}""", event)).usage shouldBe Usage.of(1000, 100)
        }
    }

    context("tokens that a server counts beside the others:") {
        withData<Counted>(
            { it.what },
            Counted("reasoning in Gemini's total", "openai/gemini-2.5-pro", """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45}""", 10, 35, 30),
            Counted(
                "of a gateway's Gemini",
                "litellm_proxy/google/gemini-3-flash",
                """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45}""",
                10,
                35,
                30,
            ),
            Counted(
                "reasoning that Gemini counts in its total and by itself",
                "openai/gemini-2.5-pro",
                """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45,"completion_tokens_details":{"reasoning_tokens":30}}""",
                10,
                35,
                30,
            ),
            Counted(
                "reasoning within the completion",
                "openai/gemini-2.5-pro",
                """{"prompt_tokens":10,"completion_tokens":35,"total_tokens":45,"completion_tokens_details":{"reasoning_tokens":30}}""",
                10,
                35,
                30,
            ),
            Counted(
                "reasoning beside the output at a gateway that passes on what xAI counts",
                "openai/grok-4",
                """{"prompt_tokens":100,"completion_tokens":500,"total_tokens":800,"completion_tokens_details":{"reasoning_tokens":200}}""",
                100,
                700,
                200,
            ),
            Counted(
                "more reasoning than output",
                "openai/m",
                """{"prompt_tokens":10,"completion_tokens":10,"completion_tokens_details":{"reasoning_tokens":300}}""",
                10,
                310,
                300,
            ),
            Counted("a total that other models explain by nothing", "openai/m", """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45}""", 10, 5),
            Counted(
                "audio beside the input (Voxtral)",
                "mistral/voxtral-small-latest",
                """{"prompt_tokens":9,"completion_tokens":248,"total_tokens":632,"prompt_tokens_details":{"audio_tokens":375}}""",
                384,
                248,
            ),
            Counted(
                "audio within the input",
                "openai/gpt-audio",
                """{"prompt_tokens":384,"completion_tokens":248,"total_tokens":632,"prompt_tokens_details":{"audio_tokens":375}}""",
                384,
                248,
            ),
        ) { case ->
            val usage = finish(case.model, *chat(case.usage)).usage!!
            listOf(usage.inputTokens, usage.outputTokens, usage.reasoningTokens) shouldBe listOf(case.input, case.output, case.reasoning)
        }
    }

    context("what the price depends on is read:") {
        withData<Terms>(
            { it.what },
            Terms("a service tier of a chat", Billing("flex"), "openai/m", *chat("{$PLAIN}", ""","service_tier":"flex"""")),
            Terms("a service tier in the usage", Billing("priority"), "mistral/m", *chat("""{$PLAIN,"service_tier":"priority"}""")),
            Terms("the standard tier", Billing.STANDARD, "openai/m", *chat("{$PLAIN}", ""","service_tier":"default"""")),
            Terms(
                "the tier that served a response, after the one that was requested",
                Billing("priority"),
                "openai/responses/m",
                """{"type":"response.created","response":{"service_tier":"auto"}}""",
                *responses("""{"input_tokens":1,"output_tokens":1}""", more = ""","service_tier":"priority""""),
            ),
            Terms("a tier at Anthropic", Billing("batch"), "anthropic/m", *anthropic("""{"output_tokens":9,"service_tier":"batch"}""")),
            Terms(
                "speed and place at Anthropic",
                Billing(conditions = setOf("fast", "us")),
                "anthropic/m",
                *anthropic("""{"output_tokens":9,"service_tier":"standard","speed":"fast","inference_geo":"us"}"""),
            ),
            Terms(
                "the usual speed and place",
                Billing.STANDARD,
                "anthropic/m",
                *anthropic("""{"output_tokens":9,"speed":"standard","inference_geo":"global"}"""),
            ),
            Terms(
                "searches at Anthropic",
                Billing(webSearches = 2),
                "anthropic/m",
                *anthropic("""{"output_tokens":9,"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1}}"""),
            ),
            Terms(
                "searches in a response, but not the pages that were opened",
                Billing(webSearches = 2),
                "openai/responses/m",
                *responses(
                    """{"input_tokens":1,"output_tokens":1}""",
                    """{"id":"w1","type":"web_search_call","action":{"type":"search","query":"q"}}""",
                    """{"id":"w2","type":"web_search_call","action":{"type":"open_page"}}""",
                    """{"id":"w3","type":"web_search_call"}""",
                ),
            ),
            Terms(
                "a file search",
                Billing(unpriced = "no price is known for file searches"),
                "openai/responses/m",
                *responses("""{"input_tokens":1,"output_tokens":1}""", """{"id":"f1","type":"file_search_call"}"""),
            ),
            Terms(
                "Gemini's queries, each once",
                Billing(webSearches = 2),
                "gemini/m",
                """{"candidates":[{"content":{"parts":[{"text":"H"}]},"groundingMetadata":{"webSearchQueries":["a"]}}]}""",
                gemini("""{"promptTokenCount":1,"candidatesTokenCount":1}""", """{"webSearchQueries":["a","b"]}"""),
            ),
            Terms("Gemini's tier", Billing("flex"), "gemini/m", gemini("""{"promptTokenCount":1,"candidatesTokenCount":1,"serviceTier":"flex"}""")),
            Terms(
                "Vertex AI's kind of traffic",
                Billing("provisioned_throughput"),
                "gemini/m",
                gemini("""{"promptTokenCount":1,"candidatesTokenCount":1,"trafficType":"PROVISIONED_THROUGHPUT"}"""),
            ),
            Terms(
                "Google Maps",
                Billing(unpriced = "no price is known for Google Maps"),
                "gemini/m",
                gemini("""{"promptTokenCount":1,"candidatesTokenCount":1}""", """{"groundingChunks":[{"maps":{"uri":"https://maps.google.com/1"}}]}"""),
            ),
            Terms(
                "tools that Groq ran",
                Billing(unpriced = "no price is known for the tools that the provider ran"),
                "groq/groq/compound",
                """{"choices":[{"index":0,"delta":{"content":"Hi","executed_tools":[{"index":0,"type":"search"}]},"finish_reason":"stop"}],"usage":{$PLAIN}}""",
            ),
            Terms(
                "no tools that Groq ran",
                Billing.STANDARD,
                "groq/groq/compound",
                """{"choices":[{"index":0,"delta":{"content":"Hi","executed_tools":[]},"finish_reason":"stop"}],"usage":{$PLAIN}}""",
            ),
            Terms("the size of a search", Billing(searchContext = "low"), "perplexity/sonar", *chat("""{$PLAIN,"search_context_size":"low"}""")),
        ) { case -> finish(case.model, *case.events).usage!!.billing shouldBe case.billing }
    }

    test("the whole cost of a request with the user's own key is the fee and what the other provider bills") {
        suspend fun cost(members: String) = finish("openrouter/m", *chat("{$PLAIN,$members}")).cost
        cost(""""is_byok":true,"cost":0.001,"cost_details":{"upstream_inference_cost":0.02}""").usd() shouldBe Usd.of("0.021")
        cost(""""cost_details":{"upstream_inference_cost":0.02},"cost":0,"is_byok":true""").usd() shouldBe Usd.of("0.02")
        cost(""""is_byok":false,"cost":0.003,"cost_details":{"upstream_inference_cost":0.002}""").usd() shouldBe Usd.of("0.003")
        cost(""""is_byok":true,"cost":0.001""").shouldBeInstanceOf<Cost.Unknown>().why shouldContain "your key"
        cost(""""is_byok":true,"cost":0.001,"cost_details":{"upstream_inference_cost":null}""").shouldBeInstanceOf<Cost.Unknown>()
        cost(""""is_byok":true,"cost":0.001,"cost_details":{"upstream_inference_cost":0}""").shouldBeInstanceOf<Cost.Unknown>()
        cost(""""is_byok":false,"cost":0""").shouldBeInstanceOf<Cost.Unknown>()
    }

    test("DeepInfra's estimate is what it bills") {
        finish("deepinfra/m", *chat("""{$PLAIN,"estimated_cost":8.775e-06}""", ""","service_tier":"priority"""")).cost.usd() shouldBe Usd.of("0.000008775")
        finish("openai/m", *chat("""{$PLAIN,"estimated_cost":1}""")).cost.shouldBeInstanceOf<Cost.Unknown>()
    }

    test("tokens written to the cache are the sum of their parts where the sum is reported as zero") {
        val usage = """{"output_tokens":9,"cache_creation_input_tokens":0,"cache_creation":{"ephemeral_1h_input_tokens":100}}"""
        finish("anthropic/m", *anthropic(usage)).usage!!.let { it.inputTokens to it.cacheWriteTokens } shouldBe (1100L to 100L)
    }

    test("counts that came before the last of the content are not those of the response") {
        fun content(more: String = "") = """{"choices":[{"index":0,"delta":{"content":"Hi"}}]$more}"""
        val end = """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""
        val usage = ""","usage":{$PLAIN}"""
        finish("openai/m", content(usage), content(), end).usage!!.billing.unpriced!! shouldContain "before the last"
        finish("openai/m", """{"choices":[]$usage}""", content(), end).usage!!.billing.unpriced!! shouldContain "before the last"
        finish("openai/m", content(usage), content(usage), end).usage!!.billing.unpriced shouldBe null
        finish("openai/m", content(usage), content(), """{"choices":[]$usage}""", end).usage!!.billing.unpriced shouldBe null
    }

    test("the cost in a header counts if it is an amount that can be") {
        suspend fun cost(header: String): Cost {
            val target = resolver.resolve(ModelId.parse("litellm_proxy/m"))
            val headers = mapOf("content-type" to "application/json", "x-litellm-response-cost" to header)
            val body = """{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{$PLAIN}}"""
            val transport = RecordedTransport(200, headers, listOf(body.encodeToByteArray()))
            return (
                answer(
                    ProtocolModel(target, Protocols.named(target.protocol), transport, NO_TIMEOUTS),
                    Delivery.WHOLE,
                ).deltas.last() as Delta.Finish
                ).cost
        }
        cost(" 0.0012 ").usd() shouldBe Usd.of("0.0012")
        for (header in listOf("1e999999999", "1e-999999999", "-1", "0", "none", "NaN")) cost(header).shouldBeInstanceOf<Cost.Unknown>()
    }

    context("cached tokens that a gateway counts beside the input are added to it:") {
        withData<Counted>(
            { it.what },
            Counted(
                "more than the input",
                "openai/m",
                """{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":5000}}""",
                5010,
                5,
            ),
            Counted(
                "more than the input, though not in the total",
                "openai/m",
                """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_cache_hit_tokens":5000}""",
                5010,
                5,
            ),
            Counted(
                "read and written",
                "litellm_proxy/m",
                """{"prompt_tokens":10,"completion_tokens":5,"cache_read_input_tokens":8,"cache_creation_input_tokens":7}""",
                25,
                5,
            ),
            Counted(
                "fewer than the input, as the total shows",
                "openai/m",
                """{"prompt_tokens":100,"completion_tokens":5,"total_tokens":145,"prompt_tokens_details":{"cached_tokens":40}}""",
                140,
                5,
            ),
            Counted(
                "within the input",
                "openai/m",
                """{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_tokens_details":{"cached_tokens":100}}""",
                100,
                5,
            ),
            Counted(
                "within the input, with as much reasoning in the total",
                "openai/m",
                """{"prompt_tokens":100,"completion_tokens":5,"total_tokens":145,"cached_tokens":40,"reasoning_tokens":40}""",
                100,
                45,
                40,
            ),
        ) { case ->
            val usage = finish(case.model, *chat(case.usage)).usage!!
            listOf(usage.inputTokens, usage.outputTokens, usage.reasoningTokens) shouldBe listOf(case.input, case.output, case.reasoning)
        }
    }

    context("what xAI ran beside the model is read:") {
        val ran = "no price is known for the tools that the provider ran"
        withData<Terms>(
            { it.what },
            Terms("sources", Billing(unpriced = "no price is known for the sources of the search"), "xai/m", *chat("""{$PLAIN,"num_sources_used":5}""")),
            Terms("no sources", Billing.STANDARD, "xai/m", *chat("""{$PLAIN,"num_sources_used":0,"num_server_side_tools_used":0}""")),
            Terms("tools that are only counted", Billing(unpriced = ran), "xai/m", *chat("""{$PLAIN,"server_side_tools_used":3}""")),
            Terms(
                "web searches",
                Billing(webSearches = 3),
                "xai/m",
                *chat("""{$PLAIN,"num_server_side_tools_used":3,"server_side_tool_usage_details":{"web_search_calls":3,"x_search_calls":0}}"""),
            ),
            Terms(
                "other tools",
                Billing(webSearches = 1, unpriced = ran),
                "xai/m",
                *chat("""{$PLAIN,"server_side_tool_usage_details":{"web_search_calls":1,"x_search_calls":"2"}}"""),
            ),
            Terms(
                "a tool that has no name yet",
                Billing(unpriced = ran),
                "xai/m",
                *chat("""{$PLAIN,"server_side_tool_usage_details":{"web_search_calls":0,"novelty_calls":1}}"""),
            ),
            Terms(
                "MCP servers, of which only the tokens are billed",
                Billing.STANDARD,
                "xai/m",
                *chat("""{$PLAIN,"num_server_side_tools_used":2,"server_side_tool_usage_details":{"mcp_calls":2}}"""),
            ),
            Terms("no details", Billing.STANDARD, "xai/m", *chat("""{$PLAIN,"server_side_tool_usage_details":null}""")),
        ) { case -> finish(case.model, *case.events).usage!!.billing shouldBe case.billing }
    }

    test("images and sound that were not counted have no price") {
        suspend fun unpriced(delta: String, usage: String) = finish(
            "openai/m",
            """{"choices":[{"index":0,"delta":$delta,"finish_reason":"stop"}]}""",
            """{"choices":[],"usage":$usage}""",
        ).usage!!.billing.unpriced
        val image = """{"content":"Hi","images":["data:image/png;base64,AAAA"]}"""
        val sound = """{"audio":{"id":"a","data":"AAAA","transcript":"Hi"}}"""
        unpriced(image, "{$PLAIN}")!! shouldContain "images"
        unpriced(image, """{$PLAIN,"completion_tokens_details":{"image_tokens":0}}""")!! shouldContain "images"
        unpriced(image, """{$PLAIN,"completion_tokens_details":{"image_tokens":4}}""") shouldBe null
        unpriced(sound, "{$PLAIN}")!! shouldContain "sound"
        unpriced(sound, """{$PLAIN,"completion_tokens_details":{"audio_tokens":4}}""") shouldBe null
        unpriced("""{"content":"Hi"}""", "{$PLAIN}") shouldBe null
    }

    test("amounts and flags count as strings, too") {
        suspend fun cost(members: String, model: String = "openrouter/m") = finish(model, *chat("{$PLAIN,$members}")).cost
        cost(""""cost":"0.0012"""").usd() shouldBe Usd.of("0.0012")
        cost(""""cost":" 1.2e-3 """").usd() shouldBe Usd.of("0.0012")
        cost(""""cost_in_usd_ticks":"20000000000"""", "xai/m").usd() shouldBe Usd.of("2")
        cost(""""cost":{"total_cost":"0.02"}""", "perplexity/m").usd() shouldBe Usd.of("0.02")
        for (flag in listOf("\"true\"", "\"True\"", "\"1\"", "1")) {
            cost(""""is_byok":$flag,"cost":"0.001","cost_details":{"upstream_inference_cost":"0.02"}""").usd() shouldBe Usd.of("0.021")
            cost(""""is_byok":$flag,"cost":0.001""").shouldBeInstanceOf<Cost.Unknown>().why shouldContain "your key"
        }
        for (flag in listOf("\"false\"", "\"\"", "0", "null", "{}")) cost(""""is_byok":$flag,"cost":0.001""").usd() shouldBe Usd.of("0.001")
        for (amount in listOf("\"1e999999999\"", "\"-1\"", "\"\"", "\"none\"", "\"NaN\"", "[1]")) {
            cost(""""cost":$amount""").shouldBeInstanceOf<Cost.Unknown>()
        }
    }

    test("steps of the server that the totals leave out have no price") {
        suspend fun unpriced(
            iterations: String,
        ) = finish("anthropic/m", *anthropic("""{"output_tokens":5,"iterations":$iterations}""")).usage!!.billing.unpriced
        unpriced("""[{"type":"compaction","input_tokens":180000,"output_tokens":3500},{"type":"message","output_tokens":5}]""")!! shouldContain "compaction"
        unpriced("""[{"type":"advisor_message","model":"claude-opus-4-6","input_tokens":823,"output_tokens":1612}]""")!! shouldContain "advisor_message"
        for (iterations in listOf("null", "[]", """[{"type":"message","output_tokens":5}]""", "[{}]")) unpriced(iterations) shouldBe null
    }

    context("a compaction and an adviser are billed beside the response, each as a request of its own:") {
        class Steps(val what: String, val usage: String, val cost: String?)

        fun step(type: String, input: Int, output: Int, more: String = "") = """{"type":"$type","input_tokens":$input,"output_tokens":$output$more}"""
        val answer = step("message", 1000, 5)
        withData<Steps>(
            { it.what },
            Steps("one request", answer, "0.003075"),
            Steps("a compaction at the price of the model", step("compaction", 180_000, 3_500) + "," + answer, "0.595575"),
            Steps(
                "a compaction that reads from the cache",
                step("compaction", 0, 100, ""","cache_read_input_tokens":10000,"cache_creation_input_tokens":0""") + "," + answer,
                "0.007575",
            ),
            Steps(
                "an adviser at the price of its model",
                step("message", 1000, 3) + "," + step("advisor_message", 800, 1_600, ""","model":"claude-opus-4-8"""") + "," + step("message", 2000, 2),
                "0.053075",
            ),
            Steps("an adviser whose model has no price", answer + "," + step("advisor_message", 1, 1, ""","model":"claude-nonesuch""""), null),
            Steps("an adviser whose model is not told", answer + "," + step("advisor_message", 1, 1), null),
            Steps("a step of a type that is not known", answer + "," + step("novelty", 1, 1), null),
            Steps("a compaction whose counters do not fit", step("compaction", 180_000, 3_500) + "," + step("message", 7, 7), null),
        ) { case ->
            val usage = finish("anthropic/claude-sonnet-4-5", *anthropic("""{"output_tokens":5,"iterations":[${case.usage}]}""")).usage!!
            usage.inputTokens shouldBe 1000 // as the provider counts the response
            val catalog = PriceCatalog.packed
            val cost = catalog.find(ModelId.parse("anthropic/claude-sonnet-4-5"))!!.cost(usage) { catalog.find(ModelId("anthropic", it)) }
            if (case.cost == null) cost.shouldBeInstanceOf<Cost.Unknown>() else cost.usd() shouldBe Usd.of(case.cost)
        }
    }

    context("audio that is read from a cache is billed once, or not at all:") {
        class Cached(val what: String, val model: String, val price: String, val cost: String?, vararg val events: String)

        fun heard(cached: String) = chat("""{"prompt_tokens":1000,"completion_tokens":0,"total_tokens":1000,"prompt_tokens_details":{$cached}}""")
        fun parts(audio: Int, text: Int) = """[{"modality":"AUDIO","tokenCount":$audio},{"modality":"TEXT","tokenCount":$text}]"""
        val googles = """"promptTokenCount":1000,"totalTokenCount":1000,"promptTokensDetails":${parts(600, 400)}"""
        withData<Cached>(
            { it.what },
            Cached(
                "Gemini, which tells what of the cache is audio",
                "gemini/m",
                "gemini/gemini-2.5-flash",
                "0.0004815", // 350 text, 50 text and 250 audio of the cache, 350 audio
                gemini("""{$googles,"cachedContentTokenCount":300,"cacheTokensDetails":${parts(250, 50)}}"""),
            ),
            Cached(
                "Gemini, which says that no audio is of the cache",
                "gemini/m",
                "gemini/gemini-2.5-flash",
                "0.000639", // 100 text, 300 text of the cache, 600 audio
                gemini("""{$googles,"cachedContentTokenCount":300,"cacheTokensDetails":[{"modality":"TEXT","tokenCount":300}]}"""),
            ),
            Cached("Gemini, which does not tell", "gemini/m", "gemini/gemini-2.5-flash", null, gemini("""{$googles,"cachedContentTokenCount":300}""")),
            Cached("OpenAI, without a cache", "openai/m", "openai/gpt-audio", "0.0202", *heard(""""cached_tokens":0,"audio_tokens":600""")),
            Cached("OpenAI, which does not tell", "openai/m", "openai/gpt-audio", null, *heard(""""cached_tokens":300,"audio_tokens":600""")),
            Cached(
                "OpenAI, which tells",
                "openai/m",
                "openai/gpt-audio",
                "0.0202", // a row without a price of the cache: its tokens are those of the input
                *heard(""""cached_tokens":300,"audio_tokens":600,"cached_tokens_details":{"text_tokens":100,"audio_tokens":200}"""),
            ),
        ) { case ->
            val cost = PriceCatalog.packed.find(ModelId.parse(case.price))!!.cost(finish(case.model, *case.events).usage)
            if (case.cost == null) cost.shouldBeInstanceOf<Cost.Unknown>().why shouldContain "audio" else cost.usd() shouldBe Usd.of(case.cost)
        }
    }

    test("video in the output has no price") {
        val usage = """{"promptTokenCount":5,"candidatesTokenCount":100,"candidatesTokensDetails":[{"modality":"VIDEO","tokenCount":100}]}"""
        finish("gemini/m", gemini(usage)).usage!!.billing.unpriced!! shouldContain "video"
    }

    test("the larger of the searches that are counted and those that the blocks show is billed") {
        val searches = (0..1).flatMap { index ->
            listOf(
                """{"type":"content_block_start","index":${2 * index + 1},"content_block":{"type":"server_tool_use","id":"s$index","name":"web_search"}}""",
                """{"type":"content_block_start","index":${2 * index + 2},"content_block":{"type":"web_search_tool_result","tool_use_id":"s$index","content":[]}}""",
            )
        }
        for ((counted, billed) in listOf(1 to 2L, 3 to 3L, 0 to 2L)) {
            val events = anthropic("""{"output_tokens":5,"server_tool_use":{"web_search_requests":$counted}}""").toMutableList().also { it.addAll(1, searches) }
            finish("anthropic/m", *events.toTypedArray()).usage!!.billing.webSearches shouldBe billed
        }
    }

    test("counts that come before the last of the content have no price, on every wire that streams them, and no reported cost replaces them") {
        val text = """{"choices":[{"index":0,"delta":{"content":"Hi"}}]"""
        val stop = """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""
        val early = finish("openrouter/m", """$text,"usage":{$PLAIN,"cost":0.000001}}""", "$text}", stop)
        early.usage!!.billing.unpriced!! shouldContain "before the last"
        early.cost.shouldBeInstanceOf<Cost.Unknown>()
        finish("openrouter/m", "$text}", """$text,"usage":{$PLAIN,"cost":0.001}}""", stop).cost.usd() shouldBe Usd.of("0.001")

        fun part(finish: String = "") = """"candidates":[{"content":{"parts":[{"text":"Hi"}]}$finish}]"""
        val counts = """"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1}"""
        val end = part(""","finishReason":"STOP"""")
        finish("gemini/m", "{${part()},$counts}", "{${part()}}", "{$end}").usage!!.billing.unpriced!! shouldContain "before the last"
        finish("gemini/m", "{${part()},$counts}", "{$end,$counts}").usage!!.billing.unpriced shouldBe null
        finish("gemini/m", "{${part()},$counts}", """{"candidates":[{"finishReason":"STOP"}]}""").usage!!.billing.unpriced shouldBe null
    }
})
