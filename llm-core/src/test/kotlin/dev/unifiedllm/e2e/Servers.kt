package dev.unifiedllm.e2e

/** The servers, started by the project's scripts, on free ports of 127.0.0.1. */
internal class Servers : AutoCloseable {
    private val llamaProgram = Program("jupyter-integration/e2e/servers/run", "llama", "0")
    private val aimockProgram = Program("jupyter-integration/e2e/servers/run", "aimock", "0")
    private val llama = llamaProgram.awaitLine("READY")
    val aimock = aimockProgram.awaitLine("READY")
    private val litellmProgram = Program("jupyter-integration/e2e/servers/run", "litellm", "0", "--tiny", "$llama/v1", "--aimock", aimock)
    val litellm = litellmProgram.awaitLine("READY")

    val variables = mapOf(
        "LM_STUDIO_API_BASE" to "$llama/v1",
        "LITELLM_PROXY_API_BASE" to litellm,
        "LITELLM_PROXY_API_KEY" to PROXY_KEY,
    )

    override fun close() {
        litellmProgram.close()
        aimockProgram.close()
        llamaProgram.close()
    }

    companion object {
        const val PROXY_KEY = "sk-master-1234"
    }
}
