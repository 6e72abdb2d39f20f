package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.Detail;
import dev.unifiedllm.chat.Part;
import dev.unifiedllm.transport.LoopbackServer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import kotlin.Unit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VisionTest {
    private static final byte[] PNG = latin("\u0089PNG\r\n\u001a\n0123");
    private static final byte[] PDF = latin("%PDF-1.7");
    private static final byte[] WAV = latin("RIFF0123WAVEfmt ");

    @TempDir
    Path folder;

    @Test
    void imagesFilesAndSoundsStandBesideTheText() throws Exception {
        Path picture = Files.write(folder.resolve("upload"), PNG); // the type is found by the content
        ChatRequest request = ChatRequest.build("openai/gpt-4o", c -> c.user("What do they show?", u -> u
            .image("https://example.com/cat.png", Detail.LOW)
            .image(PNG)
            .image(picture, Detail.HIGH)
            .text("And the report?")
            .file(PDF, null, "report.pdf")
            .audio(WAV)));
        assertEquals(
            List.of(
                new Part.Text("What do they show?"),
                new Part.Image("https://example.com/cat.png", Detail.LOW),
                new Part.Image(data("image/png", PNG)),
                new Part.Image(data("image/png", PNG), Detail.HIGH),
                new Part.Text("And the report?"),
                new Part.File(data("application/pdf", PDF), "application/pdf", "report.pdf"),
                new Part.File(data("audio/wav", WAV), "audio/wav")),
            request.messages().get(0).parts());
    }

    @Test
    void anImageIsSentWithinTheRequest() {
        try (LoopbackServer server = new LoopbackServer(null, false, (exchange, request) -> {
            exchange.sse(
                "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A cat.\"},\"finish_reason\":\"stop\"}]}\n\n",
                "data: [DONE]\n\n");
            return Unit.INSTANCE;
        }); Llm llm = Llm.builder().environment(name -> null).provider("my-server", p -> p.baseUrl(server.getUrl())).build()) {
            assertEquals("A cat.", llm.chat("my-server/llava", c -> c.user("What is it?", u -> u.image(PNG))).get().text());
            assertTrue(server.getRequests().get(0).getBody().contains("\"image_url\":{\"url\":\"" + data("image/png", PNG) + "\"}"));
        }
    }

    @Test
    void anImageInAPrivateNetworkIsNotFetchedForAChatACountOrAnEdit() {
        String url = "http://printer.local/secret.png";
        try (LoopbackServer server = new LoopbackServer(null, false, (exchange, request) -> Unit.INSTANCE);
             Llm llm = Llm.builder().environment(name -> null)
                 .provider("bedrock", p -> p.apiKey("key").baseUrl(server.getUrl()))
                 .provider("openai", p -> p.apiKey("sk-test").baseUrl(server.getUrl())).build()) {
            List<Call<?>> calls = List.of(
                llm.chat("bedrock/anthropic.claude-3-haiku-20240307-v1:0", c -> c.user("What is it?", u -> u.image(url))),
                llm.countTokens("bedrock/anthropic.claude-3-haiku-20240307-v1:0", c -> c.user("What is it?", u -> u.image(url))),
                llm.image("openai/gpt-image-1", i -> i.prompt("Paint it blue").image(url)));
            for (Call<?> call : calls) {
                var failure = assertThrows(LlmException.InvalidRequest.class, call::get);
                assertTrue(failure.getMessage().contains("at printer.local cannot be fetched"), failure.getMessage());
            }
            assertEquals(List.of(), server.getRequests());
        }
    }

    @Test
    void anImageOfATypeThatTheProviderRefusesIsNotSent() {
        byte[] heic = latin("\u0000\u0000\u0000\u0018ftypheic");
        try (Llm llm = Llm.builder().environment(name -> null).provider("anthropic", p -> p.apiKey("sk-test")).build()) {
            LlmException.InvalidRequest failure = assertThrows(
                LlmException.InvalidRequest.class,
                () -> llm.chat("anthropic/claude-sonnet-4-5", c -> c.user("What is it?", u -> u.image(heic))).get());
            assertTrue(failure.getMessage().startsWith("Image 1 of message 1 is of type image/heic"), failure.getMessage());
        }
    }

    private static byte[] latin(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static String data(String type, byte[] bytes) {
        return "data:" + type + ";base64," + Base64.getEncoder().encodeToString(bytes);
    }
}
