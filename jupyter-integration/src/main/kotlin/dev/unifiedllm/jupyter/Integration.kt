package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.libraries.JupyterIntegration

/** The imports of every cell. */
internal val imports: List<String> = listOf(
    "dev.unifiedllm.Call",
    "dev.unifiedllm.chat.*",
    "dev.unifiedllm.Conversation",
    "dev.unifiedllm.dsl.*",
    "dev.unifiedllm.HttpLogLevel",
    "dev.unifiedllm.Interceptor",
    "dev.unifiedllm.jupyter.ChatConfig",
    "dev.unifiedllm.jupyter.ChatMessage",
    "dev.unifiedllm.jupyter.ChatWidget",
    "dev.unifiedllm.jupyter.chatWidget",
    "dev.unifiedllm.jupyter.estimateNotebook",
    "dev.unifiedllm.jupyter.notebookCost",
    "dev.unifiedllm.jupyter.pinTotal",
    "dev.unifiedllm.jupyter.plot",
    "dev.unifiedllm.jupyter.sessionTotal",
    "dev.unifiedllm.jupyter.show",
    "dev.unifiedllm.Llm",
    "dev.unifiedllm.LlmException",
    "dev.unifiedllm.Model",
    "dev.unifiedllm.Reply",
    "dev.unifiedllm.schema.Description",
    "dev.unifiedllm.store.*",
    "java.nio.file.Path",
    "kotlin.time.Duration.Companion.milliseconds",
    "kotlin.time.Duration.Companion.minutes",
    "kotlin.time.Duration.Companion.seconds",
    "kotlinx.coroutines.async",
    "kotlinx.coroutines.awaitAll",
    "kotlinx.coroutines.coroutineScope",
    "kotlinx.coroutines.delay",
    "kotlinx.coroutines.flow.*",
    "kotlinx.coroutines.launch",
    "kotlinx.coroutines.runBlocking",
    "kotlinx.coroutines.withTimeoutOrNull",
)

/** The integration that `%use unified-llm` loads into the kernel. */
public class Integration : JupyterIntegration() {
    override fun Builder.onLoaded() {
        KernelAdapter.load(notebook)
        ChatKernel.load(notebook)
        LlmException.compact = true
        Llm.startSession { notebook.currentCell?.id }
        import(*imports.toTypedArray())
        onLoaded { beforeCell(this) }
        beforeCellExecution { beforeCell(this) }
        afterCellExecution { snippet, result ->
            try {
                KernelAdapter.afterCell(this, snippet, result)
            } finally {
                if (!KernelAdapter.isPending) ChatKernel.afterCell()
            }
        }
        addRenderer(ResultRenderer)
        onShutdown {
            ChatKernel.close()
            Llm.default.close()
        }
    }

    private fun beforeCell(host: KotlinKernelHost) {
        KernelAdapter.beforeCell(host)
        ChatKernel.beforeCell(host)
    }
}
