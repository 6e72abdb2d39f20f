package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.Cost;
import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.FinishReason;
import dev.unifiedllm.chat.GeneratedImage;
import dev.unifiedllm.chat.ImageRequest;
import dev.unifiedllm.chat.ImageResponse;
import dev.unifiedllm.chat.ModelId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images as a Java user asks for them. */
class JavaImagesTest {
    private static final byte[] PNG = {(byte) 0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A, 1};
    private static final String URL = "data:image/png;base64," + Base64.getEncoder().encodeToString(PNG);

    /** Makes as many images as it is asked for, each with a preview. */
    private static Model painter() {
        return Model.of("my/painter", request -> subscriber -> {
            ImageRequest image = (ImageRequest) request;
            SubmissionPublisher<Delta> publisher = new SubmissionPublisher<>();
            publisher.subscribe(subscriber);
            publisher.submit(new Delta.Start(null, ModelId.parse("my/painter")));
            int count = image.n() == null ? 1 : image.n();
            for (int made = 0; made < count; made++) {
                publisher.submit(new Delta.Media("image/png", URL, true));
                publisher.submit(new Delta.Media("image/png", URL, false, image.prompt() + ", in oil"));
            }
            publisher.submit(new Delta.Finish(FinishReason.STOP, null, Cost.Free.INSTANCE));
            publisher.close();
        });
    }

    @Test
    void imagesInOneLine(@TempDir Path folder) throws Exception {
        try (Llm llm = Llm.builder().environment(name -> null).build()) {
            ImageReply reply = llm.image(painter(), i -> i.prompt("A red train").size("1024x1024").n(2).task("draw"));
            assertNull(reply.partial());
            ImageResponse response = reply.get();
            List<GeneratedImage> images = response.images();
            assertEquals(2, images.size());
            assertEquals("image/png", images.get(0).mediaType());
            assertEquals("A red train, in oil", images.get(0).revisedPrompt());
            assertTrue(images.get(0).isInline());
            assertArrayEquals(PNG, images.get(0).bytes());
            assertEquals("my/painter", response.model().toString());
            assertFalse(response.fallbackUsed());
            assertTrue(response.latency().toNanos() > 0);
            assertEquals(List.of(folder.resolve("train-1.png"), folder.resolve("train-2.png")), response.save(folder.resolve("train.png")));
            assertArrayEquals(PNG, Files.readAllBytes(folder.resolve("train-2.png")));
            assertEquals(1, llm.image(painter(), "A red train").toFuture().get(10, TimeUnit.SECONDS).images().size());
            assertEquals(1, reply.again().get().attempts().size());
        }
    }

    @Test
    void aRequestWithSources() {
        ImageRequest request = ImageRequest.build("openai/gpt-image-1", i -> i.prompt("Make it blue")
            .image(PNG)
            .mask(PNG)
            .quality("high")
            .style("vivid")
            .seed(7)
            .negativePrompt("people")
            .format("webp")
            .partialImages(2)
            .providerOptions(o -> o.put("background", "transparent")));
        assertEquals(1, request.sources().size());
        assertEquals(URL, request.mask().url());
        assertEquals(2, request.with(i -> i.image(PNG)).sources().size());
        assertEquals("webp", request.format());
        assertEquals(2, request.partialImages());
    }
}
