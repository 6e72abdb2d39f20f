package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta

/** The fields of an event, of any type. */
internal class ResponsesEvent {
    /** The position of its type in [ResponsesEventType]; null if it has none. */
    var type: Int? = null

    /** Its `output_index`; -1 if it has none. */
    var index: Long = -1L

    /** Its `content_index` or `summary_index`; -1 if it has none. */
    var part: Long = -1L
    var itemId: String? = null
    var callId: String? = null
    var name: String? = null

    /** The `delta`, if it is a string. */
    var text: String? = null

    /** The JSON text of the `delta`, if it is an object: the arguments of a tool call. */
    var rawDelta: String? = null

    /** The complete text or arguments of an event that ends them; null if it has none. */
    var full: String? = null

    /** The type of the content part that the event ends, such as `output_text`; null if it has none. */
    var partType: String? = null
    var item: String? = null
    var annotation: Delta.Source? = null
    var status: String? = null
}
