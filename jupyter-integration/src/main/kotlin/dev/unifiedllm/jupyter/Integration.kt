package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.TokenCount
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.store.CostReport
import org.jetbrains.kotlinx.jupyter.api.libraries.JupyterIntegration

/** The imports of every cell. */
internal val imports: List<String> = listOf(
    "dev.unifiedllm.dsl.*",
    "dev.unifiedllm.chat.*",
    "dev.unifiedllm.store.*",
    "dev.unifiedllm.jupyter.show",
    "dev.unifiedllm.Call",
    "dev.unifiedllm.Conversation",
    "dev.unifiedllm.Interceptor",
    "dev.unifiedllm.Llm",
    "dev.unifiedllm.LlmException",
    "dev.unifiedllm.Model",
    "dev.unifiedllm.Reply",
    "dev.unifiedllm.schema.Description",
    "kotlinx.coroutines.runBlocking",
    "kotlinx.coroutines.flow.*",
    "kotlin.time.Duration.Companion.milliseconds",
    "kotlin.time.Duration.Companion.minutes",
    "kotlin.time.Duration.Companion.seconds",
)

/** The integration that `%use unified-llm` loads into the kernel. */
public class Integration : JupyterIntegration() {
    override fun Builder.onLoaded() {
        KernelAdapter.checkVersion(notebook)
        LlmException.compact = true
        Llm.startSession()
        import(*imports.toTypedArray())
        onLoaded { KernelAdapter.beforeCell(this) }
        beforeCellExecution { KernelAdapter.beforeCell(this) }
        afterCellExecution { _, result -> KernelAdapter.afterCell(this, result.value) }
        render<Call<*>> { KernelAdapter.render(it) }
        render<ChatResponse> { KernelAdapter.display(AnswerCard(it.model, CardState.DONE, it).render()) }
        render<ImageResponse> { KernelAdapter.renderResult(it) }
        render<EmbeddingResponse> { KernelAdapter.renderResult(it) }
        render<TokenCount> { KernelAdapter.renderResult(it) }
        render<CostReport> { KernelAdapter.display(costTable(it)) }
        render<Llm> { } // `configure { }` as the last expression of a cell shows nothing
        render<LlmException> { KernelAdapter.display(errorCard(it)) }
        onShutdown { Llm.default.close() }
    }
}
