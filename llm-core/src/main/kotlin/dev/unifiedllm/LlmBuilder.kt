package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.readProviders
import dev.unifiedllm.telemetry.Telemetry
import io.ktor.client.HttpClient
import java.nio.file.Path
import java.util.function.Consumer
import java.util.function.Function
import javax.net.ssl.SSLContext
import kotlin.coroutines.CoroutineContext

/**
 * The settings of a client. Made by [Llm.builder].
 *
 * What is not set here comes from the file of [config], then from the variables of the process, then from those in `.env`; then there are defaults.
 */
@LlmDsl
public class LlmBuilder @InternalLlmApi constructor() : StoreSettings<LlmBuilder>() {
    @get:JvmSynthetic
    internal val providers: MutableMap<String, ProviderSettings> = linkedMapOf()

    @get:JvmSynthetic
    internal val rows: MutableMap<String, Provider> = linkedMapOf()

    @get:JvmSynthetic
    internal val interceptors: MutableList<Pair<Level, Interceptor>> = mutableListOf()

    @get:JvmSynthetic
    internal val modelTimeouts: MutableMap<String, Timeouts> = linkedMapOf()

    @get:JvmSynthetic internal val limits: MutableMap<String, RateLimitBuilder> = linkedMapOf()

    /** True if the requests are sent by the user's Ktor client. */
    @get:JvmSynthetic
    internal val bringsTransport: Boolean get() = httpClient != null

    /** The model of calls that name none; null: that of the variable MODEL, else of LITELLM_DEFAULT_TEXT_MODEL. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var defaultModel: String? = null

    /** False: responses have no cost, and the ledger gets no rows. Null: as the variable LITELLM_COST_TRACKING says, else true. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var enableCostTracking: Boolean? = null

    /**
     * How many responses of the model a call with tools may take, unless it says otherwise; null: the variable MAX_ITERATIONS, else 10.
     *
     * @throws IllegalArgumentException if it is not positive
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxIterations: Int? = null
        set(value) {
            require(value == null || value > 0) { "maxIterations must be positive, was $value" }
            field = value
        }

    /**
     * Whether text between `<think>` tags at the beginning of a response becomes reasoning. Null: for the models that are known to write these tags, and for
     * all models on a server that users run, over OpenAI's wire and Ollama's. True: for all models. False: for none.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var thinkTags: Boolean? = null

    @get:JvmSynthetic @set:JvmSynthetic
    internal var httpClient: HttpClient? = null

    /**
     * The TLS context for models and token endpoints: trusted authorities and the client certificate. Null: the JVM's default at the first call; set it
     * by the `javax.net.ssl` properties or `SSLContext.setDefault`. It does not apply to a client set by [httpClient].
     *
     * @throws IllegalStateException if the context has not been initialized
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var sslContext: SSLContext? = null
        set(value) {
            value?.createSSLEngine() // fails without an init
            field = value
        }

    /** True prints a log with bodies as of [httpLog] to the standard error stream. Null: as the variable LITELLM_VERBOSE says, else DEBUG, without bodies. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var verbose: Boolean? = null

    /** True adds the head and the body of the response to messages of failures, without keys. Null: as the variable DETAILED_ERROR says, else false. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var detailedErrors: Boolean? = null

    @get:JvmSynthetic @set:JvmSynthetic
    internal var httpLog: HttpLog? = null

    @get:JvmSynthetic @set:JvmSynthetic
    internal var telemetry: Telemetry? = null

    /**
     * How many requests run at a time to one https:// server over HTTP/2, 100 by default. More wait, and fail with [LlmException.Timeout.Phase.POOL] after
     * `timeouts.firstByte`. It does not apply to a client set by [httpClient]. @throws IllegalArgumentException if it is not positive
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxConcurrentStreams: Int
        get() = streams ?: MAX_STREAMS
        set(value) {
            require(value > 0) { "maxConcurrentStreams must be positive, was $value" }
            streams = value
        }

    /** Null: not set. */
    @get:JvmSynthetic @set:JvmSynthetic
    internal var streams: Int? = null

    /** The coroutine context of the calls; null: threads of the client. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var context: CoroutineContext? = null

    /** Settings of the provider [name]. An unknown name adds a server; its protocol is OpenAI's chat unless set. */
    @JvmSynthetic
    public fun provider(name: String, block: ProviderBuilder.() -> Unit): LlmBuilder = apply { providers[name] = ProviderBuilder().apply(block).build() }

    public fun provider(name: String, block: Consumer<ProviderBuilder>): LlmBuilder = provider(name) { block.accept(this) }

    /**
     * Adds the providers in [file], a JSON list of rows as in docs/providers.md. A row with the id of a packed one replaces it.
     *
     * @throws LlmException.Configuration if it cannot be read, or a row is wrong
     */
    public fun providers(file: Path): LlmBuilder = apply { readProviders(file, Protocols.names).associateByTo(rows) { it.id } }

    /** Makes [name] another name of [model]. @throws IllegalArgumentException if [model] is not a model's name */
    public fun alias(name: String, model: String): LlmBuilder = apply {
        ModelId.parse(model)
        aliases[name] = model
    }

    /** The models of tasks: a call with `task = "…"` that names no model goes to the model of its task, if it has one here, else to the default model. */
    @JvmSynthetic
    public fun route(block: RouteBuilder.() -> Unit): LlmBuilder = apply { routes.block() }

    /** The models of tasks: a call with a task that names no model goes to the model of its task, if it has one here, else to the default model. */
    public fun route(block: Consumer<RouteBuilder>): LlmBuilder = route { block.accept(this) }

    /**
     * Time limits of the calls to [model], "provider/model", an alias, a model at any provider, or "provider" for all its models. They replace those of the
     * client. `total` is that of the first model of a call; of a group, that of its name, else the longest one of its targets.
     */
    @JvmSynthetic
    public fun timeouts(model: String, block: Timeouts.Builder.() -> Unit): LlmBuilder = apply {
        require(model.isNotBlank()) { "timeouts must name a model or a provider" }
        modelTimeouts[model] = Timeouts.Builder(modelTimeouts[model]).apply(block).build()
    }

    /** Time limits of the calls to [model], a name as in the other overload. They replace those of the client. */
    public fun timeouts(model: String, block: Consumer<Timeouts.Builder>): LlmBuilder = timeouts(model) { block.accept(this) }

    /**
     * Rate limits of the calls to [name]: a provider, a model or an alias; all calls without it. All limits that apply to a call hold together.
     *
     * A model of your own is limited only by its own name, such as "my/model" or "my": the calls that it makes are limited themselves, so that it would wait
     * for itself. A name that nothing has is told in a warning of each response.
     */
    @JvmSynthetic
    public fun limit(name: String = "", block: RateLimitBuilder.() -> Unit): LlmBuilder = apply { limits.getOrPut(name, ::RateLimitBuilder).apply(block) }

    public fun limit(name: String, block: Consumer<RateLimitBuilder>): LlmBuilder = limit(name) { block.accept(this) }

    public fun limit(block: Consumer<RateLimitBuilder>): LlmBuilder = limit("", block)

    /** Puts [interceptor] around each step of a call. The first one added is the outermost. */
    public fun intercept(interceptor: Interceptor): LlmBuilder = intercept(interceptor, Level.STEP)

    /** Puts [interceptor] around the part of each call that [level] names. Of one level, the first one added is the outermost. */
    public fun intercept(interceptor: Interceptor, level: Level): LlmBuilder = apply { interceptors += level to interceptor }

    /** Reports the calls of this client as traces and metrics: `telemetry(GenAiTelemetry.of(openTelemetry))`. Null, the default: nothing is reported. */
    public fun telemetry(telemetry: Telemetry?): LlmBuilder = apply { this.telemetry = telemetry }

    /** Looks up variables, instead of the environment of the process and of `.env`. Null: the variable is not set. */
    public fun environment(variables: Function<String, String?>): LlmBuilder =
        apply { sources = sources.copy(process = Environment(variables::apply), isReplaced = true) }

    public fun defaultModel(model: String): LlmBuilder = apply { defaultModel = model }

    public fun enableCostTracking(enable: Boolean?): LlmBuilder = apply { enableCostTracking = enable }

    /**
     * Sends all requests by [client], a Ktor 3 client of your own, with its engine, proxy, logging and other plugins. The engine is a dependency of yours,
     * which brings Ktor. Without a client the JDK's HTTP client sends them.
     *
     * [client] stays yours to close, after this client. Redirects are never followed, and error statuses are read as usual, whatever [client] is set
     * to. [sslContext] and `timeouts.connect` do not apply: set both in the engine of [client].
     *
     * Known limits:
     * - When a connection breaks, Ktor's Java engine can lose bytes that have arrived, or the whole response: the partial response is shorter than what the
     *   server sent, and a response that was complete can fail. The CIO engine keeps them, but reports a broken connection as a normal end; a cut response
     *   still fails, because its last event is missing.
     * - If a call is cancelled before its response begins, Ktor's Java engine keeps the connection open for some time. The provider may bill such a call.
     * - Ktor's Java engine offers HTTP/2 to http:// servers, some of which then drop the body of the request (vLLM). Set its `protocolVersion` to HTTP_1_1.
     * - Plugins apply on top of this client's own settings: HttpTimeout also limits streams, HttpRequestRetry repeats requests that
     *   [LlmException.attempts] does not show, and plugins that read whole bodies, such as Logging of bodies, delay streams.
     */
    public fun httpClient(client: HttpClient): LlmBuilder = apply { httpClient = client }

    public fun thinkTags(enable: Boolean?): LlmBuilder = apply { thinkTags = enable }

    /**
     * Reports the HTTP requests of this client, those to token endpoints included, and the responses to [listener], line by line; keys and tokens are `***`.
     * It runs on the threads of the calls, several of them at once. What it throws does not reach the call. By default nothing is reported.
     */
    @JvmSynthetic
    public fun httpLog(level: HttpLogLevel = HttpLogLevel.HEADERS, listener: (String) -> Unit): LlmBuilder = apply { httpLog = HttpLog(level, listener) }

    public fun httpLog(listener: Consumer<String>): LlmBuilder = httpLog(HttpLogLevel.HEADERS, listener)

    public fun httpLog(level: HttpLogLevel, listener: Consumer<String>): LlmBuilder = apply { httpLog = HttpLog(level, listener::accept) }

    public fun verbose(enable: Boolean?): LlmBuilder = apply { verbose = enable }

    public fun detailedErrors(enable: Boolean?): LlmBuilder = apply { detailedErrors = enable }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxIterations(count: Int): LlmBuilder = apply { maxIterations = count }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxConcurrentStreams(count: Int): LlmBuilder = apply { maxConcurrentStreams = count }

    /** @throws IllegalStateException if [context] has not been initialized */
    public fun sslContext(context: SSLContext): LlmBuilder = apply { sslContext = context }

    /** @throws LlmException.Configuration if both [sslContext] and [httpClient] are set */
    public fun build(): Llm {
        if (sslContext != null && httpClient != null) {
            throw LlmException.Configuration("sslContext does not apply to a client set by httpClient. Set it in the engine of that client, or leave one out.")
        }
        return Llm.of(this)
    }

    private companion object {
        const val MAX_STREAMS = 100
    }
}
