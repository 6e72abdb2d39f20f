package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Tool

/**
 * A chat with [model], "provider/model". Make it the value of a cell to see it.
 *
 *     val chat = chatWidget("openai/gpt-4o-mini", prompts = listOf("Explain {{topic}}"), allowAttachments = true)
 *     chat
 *
 * If the provider needs a key and there is none, the cell asks for one where the front end can. It is kept in memory for this widget, and nowhere else.
 *
 * @param system the system message; null for none
 * @param prompts offered in a menu; `{{name}}` in one becomes a field of a form
 * @param onMessage called with all messages after each answer, on a thread of its own
 * @param showConfigurationControls true: the user can change the model, the system message and the numbers of [config]
 * @param config settings of the requests
 * @param allowAttachments true: files can be attached
 * @param attachmentTypes media types such as `image/png` and `image/\*`, or endings such as `.pdf`; empty: all that models take
 * @param maxAttachmentBytes of one file
 * @param maxHeight of the messages, in pixels; null: that of the page
 * @param disabled true: no messages can be sent until `disabled = false`
 * @param tools functions that the model may call
 * @param needsApproval which tool calls wait for a click; null: none does
 * @param models suggestions for the field in which another model can be chosen
 * @param llm the client; null: the default one when a message is sent
 * @param settings of every request: fallbacks, reasoning and the like
 * @throws IllegalArgumentException if a setting is wrong
 */
public fun chatWidget(
    model: String,
    system: String? = null,
    prompts: List<String> = emptyList(),
    onMessage: ((List<ChatMessage>) -> Unit)? = null,
    showConfigurationControls: Boolean = false,
    config: ChatConfig = ChatConfig(),
    allowAttachments: Boolean = false,
    attachmentTypes: List<String> = emptyList(),
    maxAttachmentBytes: Int = AttachmentRules.MAX_BYTES,
    maxHeight: Int? = null,
    disabled: Boolean = false,
    tools: List<Tool> = emptyList(),
    needsApproval: ((Part.ToolCall) -> Boolean)? = null,
    models: List<String> = emptyList(),
    llm: Llm? = null,
    settings: ChatRequestBuilder.() -> Unit = {},
): ChatWidget {
    val id = ModelId.parse(model)
    val options = WidgetOptions(
        id,
        prompts,
        showConfigurationControls,
        models,
        AttachmentRules(allowAttachments, attachmentTypes, maxAttachmentBytes),
        maxHeight,
        if (llm == null) ChatKernel.missingKey(id) else null,
        needsApproval,
        onMessage,
        settings.with(tools),
    )
    return widget(options, ModelAnswerer(given = llm) { llm ?: Llm.default }, system, config, disabled)
}

/** A chat with [model], which is a Model or the id of one: a model of a client, a chain or a group, or `simple { }`. See the form with a text. */
public fun chatWidget(
    model: ModelRef,
    system: String? = null,
    prompts: List<String> = emptyList(),
    onMessage: ((List<ChatMessage>) -> Unit)? = null,
    showConfigurationControls: Boolean = false,
    config: ChatConfig = ChatConfig(),
    allowAttachments: Boolean = false,
    attachmentTypes: List<String> = emptyList(),
    maxAttachmentBytes: Int = AttachmentRules.MAX_BYTES,
    maxHeight: Int? = null,
    disabled: Boolean = false,
    tools: List<Tool> = emptyList(),
    needsApproval: ((Part.ToolCall) -> Boolean)? = null,
    models: List<String> = emptyList(),
    llm: Llm? = null,
    settings: ChatRequestBuilder.() -> Unit = {},
): ChatWidget {
    val rules = AttachmentRules(allowAttachments, attachmentTypes, maxAttachmentBytes)
    val all = settings.with(tools)
    val options = WidgetOptions(model, prompts, showConfigurationControls, models, rules, maxHeight, null, needsApproval, onMessage, all)
    return widget(options, ModelAnswerer(given = llm) { llm ?: Llm.default }, system, config, disabled)
}

/**
 * A chat with a function of the history: [answer] returns a text, a Flow or a Sequence of texts, a `Reply`, or any value, which is shown as in a cell. It
 * may block or suspend. See the form with a model for the parameters.
 *
 *     chatWidget({ history -> "You wrote ${history.last().text.length} characters" })
 *
 * @param system the first message of the history; null for none
 */
public fun chatWidget(
    answer: suspend (history: List<Message>) -> Any?,
    system: String? = null,
    prompts: List<String> = emptyList(),
    onMessage: ((List<ChatMessage>) -> Unit)? = null,
    allowAttachments: Boolean = false,
    attachmentTypes: List<String> = emptyList(),
    maxAttachmentBytes: Int = AttachmentRules.MAX_BYTES,
    maxHeight: Int? = null,
    disabled: Boolean = false,
): ChatWidget {
    val rules = AttachmentRules(allowAttachments, attachmentTypes, maxAttachmentBytes)
    val options = WidgetOptions(model = null, prompts = prompts, attachments = rules, maxHeight = maxHeight, onMessage = onMessage)
    return widget(options, FunctionAnswerer { history, _ -> answer(history) }, system, ChatConfig(), disabled)
}

/** A chat with a function of the history, as in `chatWidget { history -> "…" }`. */
public fun chatWidget(answer: suspend (history: List<Message>) -> Any?): ChatWidget = chatWidget(answer, system = null)

/**
 * A chat with a function of the history and of the settings, which the user can change in the widget. See the forms with a model and with a function for the
 * other parameters.
 *
 *     chatWidget(config = ChatConfig(temperature = 0.5)) { history, config -> "${history.size} messages, temperature ${config.temperature}" }
 *
 * @param config the first settings; of the function as it likes
 */
public fun chatWidget(
    config: ChatConfig,
    system: String? = null,
    prompts: List<String> = emptyList(),
    onMessage: ((List<ChatMessage>) -> Unit)? = null,
    showConfigurationControls: Boolean = true,
    allowAttachments: Boolean = false,
    attachmentTypes: List<String> = emptyList(),
    maxAttachmentBytes: Int = AttachmentRules.MAX_BYTES,
    maxHeight: Int? = null,
    disabled: Boolean = false,
    answer: suspend (history: List<Message>, config: ChatConfig) -> Any?,
): ChatWidget {
    val rules = AttachmentRules(allowAttachments, attachmentTypes, maxAttachmentBytes)
    val options = WidgetOptions(null, prompts, showConfigurationControls, emptyList(), rules, maxHeight, onMessage = onMessage)
    return widget(options, FunctionAnswerer(answer = answer), system, config, disabled)
}

private fun (ChatRequestBuilder.() -> Unit).with(tools: List<Tool>): ChatRequestBuilder.() -> Unit = {
    this@with(this)
    tools.forEach { tool(it) }
}

private fun widget(options: WidgetOptions, answerer: Answerer, system: String?, config: ChatConfig, isDisabled: Boolean): ChatWidget {
    require(options.maxHeight == null || options.maxHeight > 0) { "maxHeight must be positive, was ${options.maxHeight}" }
    options.models.forEach(ModelId::parse)
    val start = WidgetConfig(null, system, config)
    options.request(start, listOf(Message.user("")), null) // a mistake of the caller's is thrown here
    val scope = ChatKernel.scope
    val session = WidgetSession(options, answerer, scope, isBusy = ChatKernel::isBusy, config = start, isDisabled = isDisabled)
    return ChatWidget.of(session, scope)
}
