package dev.unifiedllm.provider

/** The ways to get JSON of a given schema from a model, the surest first. */
internal enum class JsonMode {
    /** The provider generates what follows the schema. */
    SCHEMA,

    /** The provider generates JSON; the schema stands in the prompt. */
    OBJECT,

    /** The model must call a tool whose arguments are the answer. */
    TOOL,

    /** The schema stands in the prompt. */
    PROMPT,
}
