package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonNames

/** The members of an event, and of a response that is not streamed. */
internal object ResponsesEventMember : JsonNames(
    "type",
    "delta",
    "output_index",
    "item",
    "annotation",
    "response",
    "id",
    "model",
    "status",
    "output",
    "usage",
    "incomplete_details",
    "error",
    "item_id",
    "service_tier",
    "content_index",
    "summary_index",
    "call_id",
    "name",
    "text",
    "refusal",
    "arguments",
    "input",
    "part",
) {
    const val TYPE = 0
    const val DELTA = 1
    const val OUTPUT_INDEX = 2
    const val ITEM = 3
    const val ANNOTATION = 4
    const val RESPONSE = 5
    const val ID = 6
    const val MODEL = 7
    const val STATUS = 8
    const val OUTPUT = 9
    const val USAGE = 10
    const val INCOMPLETE_DETAILS = 11
    const val ERROR = 12
    const val ITEM_ID = 13
    const val SERVICE_TIER = 14
    const val CONTENT_INDEX = 15
    const val SUMMARY_INDEX = 16
    const val CALL_ID = 17
    const val NAME = 18
    const val TEXT = 19
    const val REFUSAL = 20
    const val ARGUMENTS = 21
    const val INPUT = 22
    const val PART = 23
}

/** The members of a response in an event. */
internal object ResponseMember :
    JsonNames("id", "model", "status", "output", "usage", "incomplete_details", "error", "service_tier") {
    const val ID = 0
    const val MODEL = 1
    const val STATUS = 2
    const val OUTPUT = 3
    const val USAGE = 4
    const val INCOMPLETE_DETAILS = 5
    const val ERROR = 6
    const val SERVICE_TIER = 7
}

/** The types of events. */
internal object ResponsesEventType : JsonNames(
    "response.output_text.delta",
    "response.refusal.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.annotation.added",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "error",
    "response.error",
    "response.output_text.done",
    "response.refusal.done",
    "response.reasoning_summary_text.done",
    "response.reasoning_text.done",
    "response.function_call_arguments.done",
    "response.custom_tool_call_input.done",
    "response.content_part.done",
    "response.reasoning_part.done",
    "response.reasoning_summary_part.done",
) {
    const val RESPONSE_OUTPUT_TEXT_DELTA = 0
    const val RESPONSE_REFUSAL_DELTA = 1
    const val RESPONSE_REASONING_SUMMARY_TEXT_DELTA = 2
    const val RESPONSE_REASONING_TEXT_DELTA = 3
    const val RESPONSE_FUNCTION_CALL_ARGUMENTS_DELTA = 4
    const val RESPONSE_CUSTOM_TOOL_CALL_INPUT_DELTA = 5
    const val RESPONSE_OUTPUT_ITEM_ADDED = 6
    const val RESPONSE_OUTPUT_ITEM_DONE = 7
    const val RESPONSE_OUTPUT_TEXT_ANNOTATION_ADDED = 8
    const val RESPONSE_COMPLETED = 9
    const val RESPONSE_INCOMPLETE = 10
    const val RESPONSE_FAILED = 11
    const val ERROR = 12
    const val RESPONSE_ERROR = 13
    const val RESPONSE_OUTPUT_TEXT_DONE = 14
    const val RESPONSE_REFUSAL_DONE = 15
    const val RESPONSE_REASONING_SUMMARY_TEXT_DONE = 16
    const val RESPONSE_REASONING_TEXT_DONE = 17
    const val RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE = 18
    const val RESPONSE_CUSTOM_TOOL_CALL_INPUT_DONE = 19
    const val RESPONSE_CONTENT_PART_DONE = 20
    const val RESPONSE_REASONING_PART_DONE = 21
    const val RESPONSE_REASONING_SUMMARY_PART_DONE = 22
}
