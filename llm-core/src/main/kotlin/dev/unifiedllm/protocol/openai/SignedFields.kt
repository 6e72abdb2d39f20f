package dev.unifiedllm.protocol.openai

/** The signatures of a message of a choice: those of `reasoning_details`, and the fields that go back as they came. */
internal class SignedFields(takesDetailsBack: Boolean) {
    val details: ReasoningDetails = ReasoningDetails(takesDetailsBack)
    val fields: SentBackFields = SentBackFields()

    /** Adds those of the next message of the same choice. */
    fun add(next: SignedFields) {
        details.addAll(next.details)
        fields.addAll(next.fields)
    }

    fun signatures(): List<String> = listOfNotNull(details.signature(), fields.signature())
}
