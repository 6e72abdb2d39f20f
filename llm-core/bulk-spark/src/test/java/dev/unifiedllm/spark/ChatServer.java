package dev.unifiedllm.spark;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A server on this machine with OpenAI's chat. It answers "item 7" with "answer 7", refuses "item 13", and counts. */
final class ChatServer implements AutoCloseable {
    private static final Pattern ITEM = Pattern.compile("item (\\d+)");

    final AtomicInteger requests = new AtomicInteger();
    final AtomicInteger refused = new AtomicInteger();
    final AtomicInteger mostOpen = new AtomicInteger();
    private final AtomicInteger open = new AtomicInteger();
    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    });

    ChatServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 100);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        requests.incrementAndGet();
        int now = open.incrementAndGet();
        mostOpen.accumulateAndGet(now, Math::max);
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        Matcher item = ITEM.matcher(body);
        if (!item.find()) {
            throw new IOException("no item in " + body);
        }
        try {
            Thread.sleep(5);
        } catch (InterruptedException interrupt) {
            Thread.currentThread().interrupt();
        }
        boolean isRefused = item.group(1).equals("13");
        if (isRefused) {
            refused.incrementAndGet();
        }
        String answer = isRefused
            ? "{\"error\":{\"message\":\"not this one\",\"type\":\"invalid_request_error\"}}"
            : "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"answer " + item.group(1) + "\"},\"finish_reason\":\"stop\"}]}\n\n"
                + "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":10,\"total_tokens\":110}}\n\n"
                + "data: [DONE]\n\n";
        byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().add("Content-Type", isRefused ? "application/json" : "text/event-stream");
        open.decrementAndGet();
        exchange.sendResponseHeaders(isRefused ? 400 : 200, bytes.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(bytes);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
