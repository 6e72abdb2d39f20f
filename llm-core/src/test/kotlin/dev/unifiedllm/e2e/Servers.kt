package dev.unifiedllm.e2e

/** Where the servers are. */
internal interface Addresses {
    val llama: String
    val aimock: String
    val litellm: String

    val llamaVariables: Map<String, String> get() = mapOf("LM_STUDIO_API_BASE" to "$llama/v1")
    val proxyVariables: Map<String, String> get() = mapOf("LITELLM_PROXY_API_BASE" to litellm, "LITELLM_PROXY_API_KEY" to Servers.PROXY_KEY)
}

/** The servers on free ports of 127.0.0.1. The project's scripts start each of them when its URL is first read. */
internal class Servers :
    Addresses,
    AutoCloseable {
    private val running = mutableListOf<AutoCloseable>()
    override val llama by lazy { start("llama") }
    override val aimock: String by lazy { start("aimock") }

    /** The proxy, with those of the other two servers behind it that are installed. */
    override val litellm: String by lazy {
        val tiny = if (OptionalProgram.LLAMA.isInstalled) listOf("--tiny", "$llama/v1") else emptyList()
        val upstreams = if (OptionalProgram.AIMOCK.isInstalled) listOf("--aimock", aimock) else emptyList()
        start("litellm", tiny + upstreams)
    }

    /** In front of aimock. */
    val relay: Relay by lazy { Relay(aimock).also { running += it } }

    /** The same servers, aimock behind the [relay]. */
    val relayed: Addresses = object : Addresses {
        override val llama get() = this@Servers.llama
        override val aimock get() = relay.url
        override val litellm get() = this@Servers.litellm
    }

    private fun start(name: String, options: List<String> = emptyList()): String {
        val program = Program("jupyter-integration/e2e/servers/run", name, "0", *options.toTypedArray())
        running += program
        return program.awaitLine("READY")
    }

    override fun close() = running.asReversed().forEach(AutoCloseable::close)

    companion object {
        const val PROXY_KEY = "sk-master-1234"
    }
}
