package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.middleware.Routing
import dev.unifiedllm.provider.ProviderSettings
import kotlinx.coroutines.flow.Flow
import java.util.function.Consumer
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toKotlinDuration

/**
 * A group of deployments of a model. Each call goes to one of its targets; when that fails before its first content, to the next one.
 *
 * A target is left out for a while (it cools down) when its key is refused or missing, its model is not found, its rate limit or quota is used up, or when
 * more than half of its requests of the last minute have failed, of at least 5 requests or with more than 3 failures. A wait that the provider asks for is
 * kept, up to 120 s. A request that the provider rejects, such as one that is too long, does not count. Then one request probes the target. What is known
 * about a target is shared by all groups and calls of a client.
 */
@LlmDsl
public class GroupBuilder @InternalLlmApi constructor(private val name: String) {
    private val targets = mutableListOf<GroupTarget>()

    @get:JvmSynthetic @set:JvmSynthetic
    internal var random: Random = Random.Default

    /** By what the target of a call is chosen. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var strategy: RoutingStrategy = RoutingStrategy.WEIGHTED

    /**
     * How long a target cools down. 5 s by default; 0 turns it off.
     *
     * @throws IllegalArgumentException if it is negative or infinite
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var cooldown: Duration = 5.seconds
        set(value) {
            require(!value.isNegative() && value.isFinite()) { "the cooldown of the group $name must be finite and not negative, was $value" }
            field = value
        }

    /**
     * Sends the request to the next target as well when the targets before have no content after this time. The first one that delivers content gives the
     * response, the others are cancelled; their providers may bill them. Null, the default: one target at a time.
     *
     * @throws IllegalArgumentException if it is negative or infinite
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var hedgeAfter: Duration? = null
        set(value) {
            require(value == null || (!value.isNegative() && value.isFinite())) { "hedgeAfter of the group $name must be finite and not negative, was $value" }
            field = value
        }

    /** A deployment of [model], which is "provider/model", with the key and the base URL of the client. */
    public fun target(model: String): GroupBuilder = target(model) { }

    /** A deployment of [model], which is "provider/model". */
    @JvmSynthetic
    public fun target(model: String, block: GroupTargetBuilder.() -> Unit): GroupBuilder = target(ModelId.parse(model), block)

    /** A deployment of [model], which is "provider/model". */
    public fun target(model: String, block: Consumer<GroupTargetBuilder>): GroupBuilder = target(model) { block.accept(this) }

    public fun target(model: ModelRef): GroupBuilder = target(model) { }

    @JvmSynthetic
    public fun target(model: ModelRef, block: GroupTargetBuilder.() -> Unit): GroupBuilder =
        apply { targets += GroupTargetBuilder(model).apply(block).build() }

    public fun target(model: ModelRef, block: Consumer<GroupTargetBuilder>): GroupBuilder = target(model) { block.accept(this) }

    public fun strategy(strategy: RoutingStrategy): GroupBuilder = apply { this.strategy = strategy }

    /** @throws IllegalArgumentException if it is negative */
    public fun cooldown(cooldown: java.time.Duration): GroupBuilder = apply { this.cooldown = cooldown.toKotlinDuration() }

    /** @throws IllegalArgumentException if it is negative */
    public fun hedgeAfter(delay: java.time.Duration): GroupBuilder = apply { hedgeAfter = delay.toKotlinDuration() }

    @JvmSynthetic
    internal fun build(): GroupModel {
        require(name.isNotBlank() && name.none { it.isWhitespace() || it.isISOControl() }) { "a group needs a name without white space, was \"$name\"" }
        require(targets.isNotEmpty()) { "the group $name needs at least one target: add target(\"provider/model\")" }
        return GroupModel(name, targets.toList(), Routing(strategy, cooldown, hedgeAfter, random))
    }
}

/** The settings of one target of a group. What is not set is that of the client. */
@LlmDsl
public class GroupTargetBuilder @InternalLlmApi constructor(private val model: ModelRef) {
    private var key: ApiKey? = null

    /** The key of this deployment. Reading it gives `***`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var apiKey: String?
        get() = key?.toString()
        set(value) {
            key = value?.let(ApiKey::of)
        }

    /** The address of this deployment, up to the path of the endpoint. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var baseUrl: String? = null

    /** Allows sending a key over http:// to a host that is not this machine. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var allowInsecure: Boolean = false

    /**
     * The share of the requests: a target of weight 2 gets twice as many as one of weight 1, the default.
     *
     * @throws IllegalArgumentException if it is not positive
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var weight: Int = 1
        set(value) {
            require(value > 0) { "the weight of a target must be positive, was $value: leave the target out if it is to get no requests" }
            field = value
        }

    public fun apiKey(key: String): GroupTargetBuilder = apply { apiKey = key }

    public fun baseUrl(url: String): GroupTargetBuilder = apply { baseUrl = url }

    public fun allowInsecure(allow: Boolean): GroupTargetBuilder = apply { allowInsecure = allow }

    /** @throws IllegalArgumentException if it is not positive */
    public fun weight(weight: Int): GroupTargetBuilder = apply { this.weight = weight }

    @JvmSynthetic
    internal fun build(): GroupTarget {
        val settings = ProviderSettings(key, baseUrl, allowInsecure)
        if (settings == ProviderSettings()) return GroupTarget(model, weight)
        val named = when (model) {
            is ModelId -> UnboundModel(model, settings)
            is UnboundModel -> UnboundModel(model.id, settings.over(model.settings), model.acceptsProviderPrefix && baseUrl == null)
            else -> throw IllegalArgumentException(
                "apiKey, baseUrl and allowInsecure are for targets given by a name, as in target(\"openai/gpt-4o\"), not $model",
            )
        }
        return GroupTarget(named, weight)
    }
}

internal class GroupTarget(val model: ModelRef, val weight: Int)

/** The targets of a group. The client on which it is used binds them when the call starts. */
internal class GroupModel(private val name: String, val targets: List<GroupTarget>, val routing: Routing) : Model {
    override val id: ModelId = ModelId("group", name)

    override fun stream(request: Request): Flow<Delta> = Llm.default.client.stream(this, request)

    override fun toString(): String = targets.joinToString(", ", "group($name: ", ")") { it.model.toString() }
}
