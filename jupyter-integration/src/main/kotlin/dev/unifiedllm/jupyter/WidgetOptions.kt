package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Part
import dev.unifiedllm.sharesProvider
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull

/**
 * What the caller set for a chat widget, and never changes.
 *
 * @property model null for a function of the history
 * @property models suggestions for the field in which another model can be chosen
 * @property apiKey for models of the provider of [model]; null: that of the client
 * @property settings of every request
 * @property needsApproval which tool calls wait for the user's approval; null: none
 */
internal class WidgetOptions(
    val model: ModelRef?,
    val prompts: List<String> = emptyList(),
    val showConfigurationControls: Boolean = false,
    val models: List<String> = emptyList(),
    val attachments: AttachmentRules = AttachmentRules(isAllowed = false),
    val maxHeight: Int? = null,
    val apiKey: String? = null,
    val needsApproval: ((Part.ToolCall) -> Boolean)? = null,
    val onMessage: ((List<ChatMessage>) -> Unit)? = null,
    val settings: ChatRequestBuilder.() -> Unit = {},
) {
    val title: String get() = model?.id?.toString() ?: "function"

    /** @throws IllegalArgumentException if a setting is wrong */
    fun request(config: WidgetConfig, history: List<Message>, decide: (suspend (Part.ToolCall) -> Boolean)?): ChatRequest {
        val model = ref(config)
        val key = apiKey?.takeIf { this.model?.let { own -> sharesProvider(own, model) } == true }
        return ChatRequest.build(model) {
            config.system?.let { system(it) }
            settings()
            messages(history)
            config.chat.maxTokens?.let { maxTokens = it }
            config.chat.temperature?.let { temperature = it }
            config.chat.topP?.let { topP = it }
            config.chat.topK?.let { topK = it }
            config.chat.frequencyPenalty?.let { frequencyPenalty = it }
            config.chat.presencePenalty?.let { presencePenalty = it }
            decide?.let { approve(it) }
            key?.let { apiKey = it }
        }
    }

    /** Calls [onMessage]. Returns what to tell the user if it fails. */
    fun tell(messages: List<ChatMessage>): String? = try {
        onMessage?.invoke(messages)
        null
    } catch (failure: Throwable) { // of any type: it is code of the user's
        "onMessage failed: ${cause(failure)}"
    }

    private fun ref(config: WidgetConfig): ModelRef = config.model?.let(ModelId::parse) ?: model ?: FunctionAnswerer.ID
}

/** What [failure], of code of the user's, says, for a line of the widget. */
internal fun cause(failure: Throwable): String = reveal(shortCause(failure).ifBlank { failure.javaClass.simpleName })

/**
 * What the user of a widget can change.
 *
 * @property model another model than the caller's; null for the caller's
 * @property system the system message; null for none
 */
internal class WidgetConfig(val model: String? = null, val system: String? = null, val chat: ChatConfig = ChatConfig()) {
    fun json(options: WidgetOptions): JsonObject = json(
        "model" to (model ?: options.title),
        "system" to system,
        *Setting.entries.map { it.id to it.of(chat)?.let { value -> if (it.isWhole) value.toLong() else value } }.toTypedArray(),
    )

    /** This configuration with the fields of [changes], and what to tell the user about them; null if nothing is to be said. */
    fun with(changes: JsonObject, options: WidgetOptions): Pair<WidgetConfig, String?> {
        val notices = mutableListOf<String>()
        val numbers = Setting.entries.filter { it.id in changes }.mapNotNull { setting ->
            val field = changes.getValue(setting.id)
            val value = (field as? JsonPrimitive)?.takeUnless { it is JsonNull }?.doubleOrNull
            val fitting = value?.takeIf { it.isFinite() }?.let(setting::nearest)
            when {
                field is JsonNull -> setting to null
                fitting == null -> null.also { notices += "${setting.label} must be a number." }
                else -> (setting to fitting).also { if (fitting != value) notices += "${setting.label} must be ${setting.range}${wholeNumber(setting)}." }
            }
        }.toMap()
        val system = if ("system" in changes) changes.text("system")?.take(MAX_SYSTEM)?.ifBlank { null } else system
        return WidgetConfig(model(changes, options, notices), system, chat.with(numbers)) to notices.joinToString(" ").ifEmpty { null }
    }

    private fun wholeNumber(setting: Setting) = if (setting.isWhole) " and whole" else ""

    private fun model(changes: JsonObject, options: WidgetOptions, notices: MutableList<String>): String? {
        if ("model" !in changes || options.model == null) return model
        val name = changes.text("model")?.trim().orEmpty()
        if (name.isEmpty() || name == options.title) return null
        return try {
            ModelId.parse(name).toString()
        } catch (wrong: IllegalArgumentException) {
            notices += wrong.message.orEmpty()
            model
        }
    }

    companion object {
        private const val MAX_SYSTEM = 100_000

        /** The fields of the configuration, in order. */
        fun fields(options: WidgetOptions): JsonArray {
            if (!options.showConfigurationControls) return JsonArray(emptyList())
            val suggestions = (listOf(options.title) + options.models).distinct()
            val model = field("model", "Model", "model", "Another model answers from the next message on: \"provider/model\".", suggestions = suggestions)
            val system = field("system", "System message", "text", "Tells the model how to answer. It precedes the messages of every request.")
            val numbers = Setting.entries.map {
                val help = "${it.help} ${it.range.replaceFirstChar(Char::uppercase)}."
                field(it.id, it.label, if (it.isWhole) "integer" else "number", help, it.least, it.most, it.step)
            }
            return JsonArray(listOfNotNull(model.takeIf { options.model != null }, system) + numbers)
        }

        private fun field(
            name: String,
            label: String,
            kind: String,
            help: String,
            min: Double? = null,
            max: Double? = null,
            step: Double? = null,
            suggestions: List<String> = emptyList(),
        ): JsonObject = json(
            "name" to name,
            "label" to label,
            "kind" to kind,
            "min" to min,
            "max" to max,
            "step" to step,
            "help" to help,
            "suggestions" to suggestions,
        )
    }
}
