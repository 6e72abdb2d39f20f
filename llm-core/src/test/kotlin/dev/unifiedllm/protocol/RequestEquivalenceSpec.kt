package dev.unifiedllm.protocol

import dev.unifiedllm.protocol.anthropic.anthropicEquivalence
import dev.unifiedllm.protocol.anthropic.anthropicVertexEquivalence
import dev.unifiedllm.protocol.bedrock.bedrockEquivalence
import dev.unifiedllm.protocol.cohere.cohereEquivalence
import dev.unifiedllm.protocol.gemini.geminiEquivalence
import dev.unifiedllm.protocol.gemini.vertexEquivalence
import dev.unifiedllm.protocol.ollama.ollamaEquivalence
import dev.unifiedllm.protocol.openai.openAiChatEquivalence
import dev.unifiedllm.protocol.openai.openAiEmbeddingsEquivalence
import dev.unifiedllm.protocol.openai.openAiImagesEquivalence
import dev.unifiedllm.protocol.openai.openAiResponsesEquivalence
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty

/** All wires. Each has its own file. */
internal val wireEquivalences = listOf(
    openAiChatEquivalence,
    openAiResponsesEquivalence,
    openAiEmbeddingsEquivalence,
    openAiImagesEquivalence,
    anthropicEquivalence,
    anthropicVertexEquivalence,
    bedrockEquivalence,
    geminiEquivalence,
    vertexEquivalence,
    cohereEquivalence,
    ollamaEquivalence,
)

/** The same request, built here, is encoded as another client encoded it. Allowed differences are listed with the wire. */
class RequestEquivalenceSpec : FunSpec({
    val all = RecordedRequest.all()
    for (wire in wireEquivalences) {
        val used = mutableSetOf<Explained>()
        val forms = mutableSetOf<SameForm>()
        val (skipped, cases) = all.filter { wire.belongs(it) && it.body != null }.partition { recording -> wire.skipped.any { it.applies(recording) } }
        context(wire.name) {
            withData<RecordedRequest>({ it.name }, cases) { recording ->
                val unexplained = wire.differences(recording, forms).filter { difference ->
                    val explanation = wire.explained.firstOrNull { it.explains(recording, difference) }
                    explanation?.let(used::add)
                    explanation == null
                }
                withClue({ unexplained.joinToString("\n") }) { unexplained.map { it.path }.shouldBeEmpty() }
            }

            test("every row of the table explains something") {
                println(
                    "requests: ${wire.name} ${cases.size} equivalent, ${used.size + forms.size} kinds of differences explained, ${skipped.size} skipped",
                )
                if (!System.getProperty("unifiedllm.fixtures").isNullOrEmpty()) return@test
                wire.skipped.filter { kind -> skipped.none(kind.applies) }.map { it.reason }.shouldBeEmpty()
                wire.explained.filterNot(used::contains).map { it.reason }.shouldBeEmpty()
                wire.sameForms.filterNot(forms::contains).map { it.reason }.shouldBeEmpty()
            }
        }
    }
})
