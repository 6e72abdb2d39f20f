package dev.unifiedllm

import dev.unifiedllm.config.FileSettings
import dev.unifiedllm.config.readSettings
import dev.unifiedllm.provider.Environment
import java.nio.file.Path
import java.util.function.Consumer

/** Where the settings of a client come from beside the code, and what its requests have by default. */
@LlmDsl
public abstract class ConfigurationRules<B : ConfigurationRules<B>> @InternalLlmApi constructor() : PriceSettings<B>(null) {
    @get:JvmSynthetic @set:JvmSynthetic
    internal var sources: Sources = Sources(Environment(System::getenv))

    /** The variables that count: those of the file, then those of the process, then those in `.env`. Before [settle], those of the process. */
    @get:JvmSynthetic
    internal val variables: Environment get() = settled?.environment ?: sources.process

    /** What [settle] has found; null before. */
    @get:JvmSynthetic @set:JvmSynthetic
    internal var settled: Settled? = null

    @get:JvmSynthetic
    internal val requestDefaults: RequestDefaults = RequestDefaults()

    /**
     * True: a model without a known price may be called under a budget, too; its cost is Unknown. Null: as the variable MSWEA_COST_TRACKING says
     * (`ignore_errors` or `default`), else as the budget says. Without a budget a missing price never fails a call.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var ignoreCostErrors: Boolean? = null

    /**
     * Reads settings from [file], as docs/configuration.md shows: JSON, a `config.ini` with a section `[LLM]`, or the `config.yaml` of a LiteLLM proxy. What
     * is set in code goes before them, whatever the order. Another file replaces this one.
     *
     * @throws LlmException.Configuration if it cannot be read, or a setting is wrong; the message names the file, the line and the key
     */
    public fun config(file: Path): B = self.apply { sources = sources.copy(file = readSettings(file, Protocols.names)) }

    /**
     * Whether variables that the process does not have are read from the file `.env` in its working folder: true by default, unless the variable
     * UNIFIED_LLM_DOTENV is false.
     */
    public fun dotEnv(enable: Boolean): B = self.apply { sources = sources.copy(readsDotEnv = enable) }

    /** Reads variables that the process does not have from [file] instead of `.env`. */
    public fun dotEnv(file: Path): B = self.apply { sources = sources.copy(dotEnv = file, readsDotEnv = true) }

    /** What requests have that do not set it themselves. */
    @JvmSynthetic
    public fun defaults(block: RequestDefaults.() -> Unit): B = self.apply { requestDefaults.block() }

    /** What requests have that do not set it themselves. */
    public fun defaults(block: Consumer<RequestDefaults>): B = defaults { block.accept(this) }

    public fun ignoreCostErrors(ignore: Boolean?): B = self.apply { ignoreCostErrors = ignore }
}

/**
 * @property process the variables of the process, or those that replace them
 * @property isReplaced true for others than those of the process
 * @property readsDotEnv null: if the variables are those of the process, unless UNIFIED_LLM_DOTENV says otherwise
 * @property dotEnv null: the file `.env` in the working folder
 */
internal data class Sources(
    val process: Environment,
    val isReplaced: Boolean = false,
    val file: FileSettings? = null,
    val readsDotEnv: Boolean? = null,
    val dotEnv: Path? = null,
)

/** What chat requests of a client have that do not set it themselves. Null: the variable of that name, else left to the model. */
@LlmDsl
public class RequestDefaults @InternalLlmApi constructor() {
    /** From 0 to 2. Null: the variable TEMPERATURE. @throws IllegalArgumentException if it is out of this range */
    @get:JvmSynthetic @set:JvmSynthetic
    public var temperature: Double? = null
        set(value) {
            require(value == null || value in 0.0..2.0) { "temperature must be between 0 and 2, was $value" }
            field = value
        }

    /** The limit of output tokens, reasoning included. Null: the variable MAX_TOKENS. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxTokens: Int? = null
        set(value) {
            require(value == null || value > 0) { "maxTokens must be positive, was $value" }
            field = value
        }

    /** @throws IllegalArgumentException if it is not between 0 and 2 */
    public fun temperature(temperature: Double): RequestDefaults = apply { this.temperature = temperature }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxTokens(tokens: Int): RequestDefaults = apply { maxTokens = tokens }
}
