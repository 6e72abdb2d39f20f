package dev.unifiedllm.chat

public enum class Role { SYSTEM, USER, ASSISTANT, TOOL }

/** One turn of a conversation. */
public class Message @JvmOverloads constructor(
    @get:JvmName("role") public val role: Role,
    @get:JvmName("parts") public val parts: List<Part>,
    /** Distinguishes participants of the same role, where the provider has a field for it. */
    @get:JvmName("name") public val name: String? = null,
    /** The model that wrote it; null if no model did. Its signatures are sent back only to the same provider. */
    @get:JvmName("model") public val model: ModelId? = null,
) {
    /** The texts of its parts, joined. */
    @get:JvmName("text")
    public val text: String get() = parts.text()

    override fun equals(other: Any?): Boolean = other is Message && role == other.role && parts == other.parts && name == other.name && model == other.model

    override fun hashCode(): Int = (role.hashCode() * 31 + parts.hashCode()) * 31 + name.hashCode()

    override fun toString(): String = "Message($role, $parts${name?.let { ", name=$it" }.orEmpty()})"

    public companion object {
        @JvmStatic
        public fun system(text: String): Message = Message(Role.SYSTEM, listOf(Part.Text(text)))

        @JvmStatic
        public fun user(text: String): Message = Message(Role.USER, listOf(Part.Text(text)))

        @JvmStatic
        public fun assistant(text: String): Message = Message(Role.ASSISTANT, listOf(Part.Text(text)))

        @JvmStatic
        public fun tool(result: Part.ToolResult): Message = Message(Role.TOOL, listOf(result))

        /**
         * The message in a map of `role` and `content`, as other clients keep them.
         *
         * @throws IllegalArgumentException if the role is none of system, developer, user, assistant, or the content is not a text
         */
        @JvmStatic
        public fun of(map: Map<String, *>): Message {
            val content = map["content"]
            require(content is String) { "a message map needs a text as \"content\", this one has ${content?.let { it::class.simpleName } ?: "none"}" }
            return when (val role = map["role"]) {
                "system", "developer" -> system(content)
                "user" -> user(content)
                "assistant" -> assistant(content)
                else -> throw IllegalArgumentException("a message map's \"role\" is system, user or assistant, not \"$role\"")
            }
        }
    }
}
