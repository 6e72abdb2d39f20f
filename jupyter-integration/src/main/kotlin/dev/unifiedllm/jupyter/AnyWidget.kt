package dev.unifiedllm.jupyter

import kotlinx.serialization.json.JsonObject

/**
 * The model of a chat widget for anywidget: the envelope of its messages on a comm of the target `jupyter.widget`.
 *
 * @param id of the transcript that is hidden where the widget is alive
 * @param comm sends a message on the comm; it may fail when the front end has closed it
 */
internal class AnyWidget(
    private val id: String,
    private val session: WidgetSession,
    private val protocol: WidgetProtocol,
    private val comm: (JsonObject) -> Unit,
) : WidgetPort {
    override fun update(state: JsonObject): Unit = comm(json("method" to "update", "state" to state, "buffer_paths" to emptyList<Any>()))

    override fun send(frame: JsonObject): Unit = comm(json("method" to "custom", "content" to frame))

    /** A message of the comm. State that the front end writes is ignored: the kernel's is the truth. */
    fun receive(data: JsonObject) {
        when (data.text("method")) {
            "request_state" -> session.refresh(this, fixed())
            "custom" -> (data["content"] as? JsonObject)?.let(protocol::receive)
        }
    }

    /** All keys of the model. */
    fun state(): JsonObject = JsonObject(session.state() + fixed())

    /** The keys that do not change. */
    private fun fixed() = json(
        "_model_module" to MODULE,
        "_model_name" to "AnyModel",
        "_model_module_version" to VERSION,
        "_view_module" to MODULE,
        "_view_name" to "AnyView",
        "_view_module_version" to VERSION,
        "_view_count" to null,
        "_dom_classes" to emptyList<String>(),
        "_anywidget_id" to "unified-llm.chat.$id",
        "_esm" to resource("chat.js"),
        "_css" to resource("markdown.css") + resource("chat.css") + hidden(id),
    )

    companion object {
        private const val MODULE = "anywidget"
        private const val VERSION = ">=0.9.0 <1.0.0"

        /** Hides the saved transcript below a widget that is alive. */
        private fun hidden(id: String) = "\n.jp-OutputArea-child:has(.ullm-transcript[data-chat=\"$id\"]) { display: none; }"

        private fun resource(name: String): String =
            checkNotNull(AnyWidget::class.java.getResourceAsStream("/dev/unifiedllm/jupyter/$name")) { "the jar lacks $name" }
                .use { it.readBytes().decodeToString() }
    }
}
