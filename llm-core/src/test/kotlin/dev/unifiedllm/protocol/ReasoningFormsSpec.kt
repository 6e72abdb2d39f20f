package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.TargetResolver
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

private val fields = setOf("reasoning", "reasoning_effort", "thinking", "enable_thinking", "thinking_budget", "output_config")

/** @param expected the fields of the body that are about reasoning */
private class Asked(val model: String, val expected: String, val warning: String? = null, val build: ChatRequestBuilder.() -> Unit)

class ReasoningFormsSpec : FunSpec({
    context("reasoning is requested as the provider documents it:") {
        withData<Asked>(
            { "${it.model} ${it.expected}" },
            Asked("deepseek/deepseek-v4-pro", """{"thinking":{"type":"enabled"},"reasoning_effort":"max"}""") { reasoning = Effort.MAX },
            Asked("deepseek/deepseek-v4-pro", """{"thinking":{"type":"disabled"}}""") { reasoning = Effort.NONE },
            Asked("deepseek/responses/deepseek-v4-pro", """{"reasoning":{"effort":"max"}}""") { reasoning = Effort.MAX },
            Asked("zai/glm-4.6", """{"thinking":{"type":"enabled"}}""") { reasoning = Effort.LOW },
            Asked("zai/glm-4.7", """{"thinking":{"type":"disabled"}}""") { reasoning = Effort.NONE },
            Asked("zai-coding-plan/glm-5.2", """{"thinking":{"type":"enabled"},"reasoning_effort":"max"}""") { reasoning = Effort.MAX },
            Asked("zhipuai/glm-5.3", """{"thinking":{"type":"enabled"},"reasoning_effort":"high"}""", "MEDIUM was sent as") { reasoning = Effort.MEDIUM },
            Asked("dashscope/qwen-plus", """{"enable_thinking":true}""") { reasoning = Effort.LOW },
            Asked("dashscope/qwen-plus", """{"enable_thinking":true,"thinking_budget":500}""") { reasoningBudget = 500 },
            Asked("alibaba-cn/qwen-plus", """{"enable_thinking":false}""") { reasoning = Effort.NONE },
            Asked("siliconflow/Qwen/Qwen3-8B", """{"enable_thinking":false}""") { reasoningBudget = 0 },
            Asked("moonshot/kimi-k2.6", """{"thinking":{"type":"disabled"}}""") { reasoning = Effort.NONE },
            Asked("moonshotai-cn/kimi-k3", """{"reasoning_effort":"low"}""", "NONE was sent as") { reasoning = Effort.NONE },
            Asked("mistral/mistral-medium-latest", """{"reasoning_effort":"high"}""", "LOW was sent as") { reasoning = Effort.LOW },
            Asked("mistral/mistral-medium-latest", """{"reasoning_effort":"none"}""") { reasoning = Effort.NONE },
            Asked("xai/grok-4", "{}", "does not take reasoning_effort") { reasoning = Effort.HIGH },
            Asked("xai/grok-4-1-fast-reasoning", "{}", "does not take reasoning_effort") { reasoning = Effort.HIGH },
            Asked("xai/grok-4.3", """{"reasoning_effort":"medium"}""") { reasoning = Effort.MEDIUM },
            Asked("xai/grok-3-mini", """{"reasoning_effort":"high"}""") { reasoning = Effort.HIGH },
            Asked("openrouter/anthropic/claude-sonnet-5", """{"reasoning":{"effort":"low"}}""") { reasoning = Effort.LOW },
            Asked("openrouter/anthropic/claude-sonnet-5", """{"reasoning":{"max_tokens":500}}""") { reasoningBudget = 500 },
            Asked("groq/openai/gpt-oss-120b", """{"reasoning_effort":"medium"}""") { reasoning = Effort.MEDIUM },
            Asked("openai/gpt-5.1", """{"reasoning_effort":"none"}""") { reasoning = Effort.NONE },
        ) { asked ->
            val keys = { name: String -> "sk-test".takeIf { name.endsWith("_KEY") } }
            val target = TargetResolver(ProviderRegistry.packed, keys, emptyMap()).resolve(ModelId.parse(asked.model))
            val warnings = mutableListOf<String>()
            val request = ChatRequest.build(target.id) {
                user("hi")
                asked.build(this)
            }
            val body = Json.parseToJsonElement(Protocols.named(target.protocol).encode(request, target, warnings).body.decodeToString()).jsonObject
            JsonObject(body.filterKeys { it in fields }) shouldBe Json.parseToJsonElement(asked.expected)
            warnings shouldHaveSize (if (asked.warning == null) 0 else 1)
            asked.warning?.let { warnings.single() shouldContain it }
        }
    }
})
