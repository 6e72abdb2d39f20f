package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.transport.Certificates;
import dev.unifiedllm.transport.LoopbackServer;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import kotlin.Unit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java example of docs/tls.md. */
class SslContextTest {
    private static final String ANSWER = "{\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}";

    @TempDir
    private Path folder;

    private LoopbackServer server() {
        return new LoopbackServer(Certificates.context(Certificates.SERVER), true, (exchange, request) -> {
            exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + ANSWER.length() + "\r\n\r\n" + ANSWER);
            return Unit.INSTANCE;
        });
    }

    private SSLContext context() throws Exception {
        char[] password = Certificates.PASSWORD.toCharArray();
        File pem = Certificates.writeAuthority(folder.resolve("ca.pem")).toFile();
        File own = Certificates.writeKeyStore(folder.resolve("me.p12"), Certificates.CLIENT).toFile();

        KeyStore trusted = KeyStore.getInstance(new File(System.getProperty("java.home"), "lib/security/cacerts"), password);
        try (InputStream ca = new FileInputStream(pem)) {
            trusted.setCertificateEntry("ours", CertificateFactory.getInstance("X.509").generateCertificate(ca));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyManagerFactory me = KeyManagerFactory.getInstance("PKIX");
        me.init(KeyStore.getInstance(own, password), password);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(me.getKeyManagers(), trust.getTrustManagers(), null);
        return tls;
    }

    @Test
    void aPrivateAuthorityAndAClientCertificate() throws Exception {
        try (LoopbackServer server = server();
             Llm llm = Llm.builder().sslContext(context()).provider("gateway", p -> p.baseUrl(server.getUrl())).build()) {
            assertEquals("Hello", llm.chat("gateway/m", "hi").get().text());
        }
    }

    @Test
    void theImagesOfTheServerAreDownloadedWithTheSameTrust() throws Exception {
        AtomicReference<String> url = new AtomicReference<>();
        LoopbackServer server = new LoopbackServer(Certificates.context(Certificates.SERVER), true, (exchange, request) -> {
            boolean isCall = request.getPath().endsWith("/images/generations");
            String body = isCall ? "{\"data\":[{\"url\":\"" + url.get() + "/made.png\"}]}" : "GIF89a";
            exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + body.length() + "\r\n\r\n" + body);
            return Unit.INSTANCE;
        });
        try (server; Llm llm = Llm.builder().sslContext(context()).provider("gateway", p -> p.baseUrl(server.getUrl())).build()) {
            url.set(server.getUrl());
            Path saved = llm.image("gateway/painter", "A red train").get().save(folder.resolve("train")).get(0);
            assertEquals(folder.resolve("train.gif"), saved);
            assertEquals("GIF89a", Files.readString(saved));
        }
    }

    @Test
    void withoutThemTheErrorSaysWhatToDo() {
        try (LoopbackServer server = server(); Llm llm = Llm.builder().provider("gateway", p -> p.baseUrl(server.getUrl())).build()) {
            LlmException.Network failure = assertThrows(LlmException.Network.class, () -> llm.chat("gateway/m", "hi").get());
            assertEquals(LlmException.Network.Phase.TLS, failure.phase());
            assertTrue(failure.getMessage().contains("sslContext"));
        }
    }
}
