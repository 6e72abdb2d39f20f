package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.Cost;
import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.EmbeddingEncoding;
import dev.unifiedllm.chat.EmbeddingRequest;
import dev.unifiedllm.chat.EmbeddingResponse;
import dev.unifiedllm.chat.FinishReason;
import dev.unifiedllm.chat.InputType;
import dev.unifiedllm.chat.ModelId;
import dev.unifiedllm.chat.Similarity;
import dev.unifiedllm.chat.Usage;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Embeddings as a Java user asks for them. */
class JavaEmbeddingsTest {
    private static final ModelId ID = ModelId.parse("my/embedder");

    /** Gives each text a vector of its length and a one. */
    private static Model embedder() {
        return Model.of(ID.toString(), request -> subscriber -> {
            List<String> texts = ((EmbeddingRequest) request).inputs();
            SubmissionPublisher<Delta> publisher = new SubmissionPublisher<>();
            publisher.subscribe(subscriber);
            publisher.submit(new Delta.Start(null, ID));
            for (int index = 0; index < texts.size(); index++) {
                publisher.submit(new Delta.Embedding(index, new float[] {texts.get(index).length(), 1}));
            }
            publisher.submit(new Delta.Finish(FinishReason.STOP, Usage.of(7, 0)));
            publisher.close();
        });
    }

    @Test
    void eachTextHasAVector() {
        try (Llm llm = Llm.create()) {
            EmbeddingResponse response = llm.embed(embedder(), List.of("four", "to", "text")).get();
            List<float[]> vectors = response.vectors();
            assertEquals(3, vectors.size());
            assertArrayEquals(new float[] {4, 1}, vectors.get(0));
            assertArrayEquals(new float[] {2, 1}, vectors.get(1));
            assertEquals(2, response.dimensions());
            assertEquals(Usage.of(7, 0), response.usage());
            assertInstanceOf(Cost.Unknown.class, response.cost());
            assertEquals(ID, response.model());
            assertEquals("my", response.provider());
            assertNull(response.reportedModel());
            assertNull(response.requestId());
            assertNull(response.rateLimits());
            assertEquals(1, response.attempts().size());
            assertFalse(response.fallbackUsed());
            assertTrue(response.warnings().isEmpty());
            assertFalse(response.latency().isNegative());
            assertEquals(1.0, Similarity.cosineSimilarity(vectors.get(0), vectors.get(2)), 1e-9);
        }
    }

    @Test
    void oneTextHasOneVector() throws Exception {
        try (Llm llm = Llm.create()) {
            EmbeddingReply reply = llm.embed(embedder(), e -> e.input("four"));
            assertEquals(ID, reply.model());
            assertArrayEquals(new float[] {4, 1}, reply.get().vector());
            CompletableFuture<EmbeddingResponse> future = reply.again().toFuture();
            assertArrayEquals(new float[] {4, 1}, future.get(10, TimeUnit.SECONDS).vector());
            assertThrows(IllegalStateException.class, () -> llm.embed(embedder(), List.of("a", "b")).get().vector());
        }
    }

    @Test
    void aRequestHasTheSettingsOfTheProvider() {
        EmbeddingRequest request = EmbeddingRequest.build("voyage/voyage-3.5", e -> e
            .input("a", "b")
            .dimensions(256)
            .inputType(InputType.DOCUMENT)
            .encoding(EmbeddingEncoding.BASE64)
            .providerOptions(o -> o.put("truncation", false)));
        assertEquals(List.of("a", "b"), request.inputs());
        assertEquals(256, request.dimensions());
        assertEquals(InputType.DOCUMENT, request.inputType());
        assertEquals(EmbeddingEncoding.BASE64, request.encoding());
        assertEquals("{\"truncation\":false}", request.providerOptions().toString());
        assertEquals(request, request.with(e -> e.task("search")));
    }

    @Test
    void aResponseIsMadeOfDeltas() {
        EmbeddingResponse response = EmbeddingResponse.of(List.of(
            new Delta.Start(null, ID),
            new Delta.Embedding(1, new float[] {2}),
            new Delta.Embedding(0, new float[] {1}),
            new Delta.Finish(FinishReason.STOP, null)));
        assertArrayEquals(new float[] {1}, response.vectors().get(0));
        assertArrayEquals(new float[] {2}, response.vectors().get(1));
    }

    @Test
    void nothingIsSentForNoTexts() {
        try (Llm llm = Llm.create()) {
            assertThrows(IllegalArgumentException.class, () -> llm.embed("openai/text-embedding-3-small", List.of()));
        }
    }
}
