package dev.unifiedllm.transport.error

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeSameInstanceAs
import java.io.IOException
import java.net.ProtocolException
import java.util.Base64

class RedactionSpec : FunSpec({
    context("what looks like a key is replaced") {
        withData(
            "sk-abcdefghijklmnop",
            "sk-proj-abc_DEF-123456",
            "sk-ant-api03-abcdefghij",
            "sk-or-v1-0123456789abcdef",
            "gsk_abcdefghijkl",
            "xai-abcdefghijkl",
            "AIzaSyA0123456789abcdef",
            "AKIAIOSFODNN7EXAMPLE",
            "hf_abcdefghijklmn",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_123",
        ) { key ->
            redact("Incorrect API key provided: $key. See https://example.com", null) shouldBe "Incorrect API key provided: ***. See https://example.com".let {
                // the pattern of a JWT includes the full stop after it
                if (key.startsWith("eyJ")) it.replace("***. See", "*** See") else it
            }
            redact("\"Authorization\":\"Bearer $key\"", null) shouldNotContain key
            redact("authorization: bearer $key", null) shouldNotContain key
        }
    }

    test("the key of the call is replaced, whatever it looks like") {
        redact("no: my-own.key+1 (my-own.key+1)", "my-own.key+1") shouldBe "no: *** (***)"
        redact("Bearer tokentoken and more", null) shouldBe "Bearer *** and more"
    }

    context("the key of the call is replaced, however it is encoded") {
        val key = "a+b/c=long-secret.of~mine"
        withData<String>(
            { it },
            key,
            "a%2Bb%2Fc%3Dlong-secret.of~mine",
            "a%2bb%2fc%3dlong%2Dsecret.of%7Emine",
            "a%252Bb%252Fc%253Dlong-secret.of~mine",
            "a+b\\/c=long-secret.of~mine",
            "a\\u002bb/c\\u003Dlong-secret.of~mine",
            Base64.getEncoder().encodeToString(key.encodeToByteArray()),
            Base64.getEncoder().withoutPadding().encodeToString("user:$key".encodeToByteArray()),
            Base64.getUrlEncoder().encodeToString("??>:$key".encodeToByteArray()),
        ) { encoded ->
            redact("bad header Basic $encoded, sent to us", key) shouldBe "bad header Basic ***, sent to us"
        }
    }

    test("a key of another call is replaced behind a percent-encoded character, too") {
        redact("location: https://h/?q=Credential%3DAKIAIOSFODNN7EXAMPLE%2F20261126", null) shouldBe "location: https://h/?q=Credential%3D***%2F20261126"
    }

    test("Base64 without the key stays") {
        for (text in listOf("Basic dXNlcjpwYXNzd29yZA==", "the request req_0123456789abcdef", "a/long/path/to/somewhere", "x")) {
            redact(text, "my-secret-key") shouldBe text
        }
    }

    test("an exception with the key in its message, or in that of a cause, has a stand-in; others stay") {
        val key = "my-secret-key"
        val plain = IOException("broken", IllegalStateException("why"))
        withoutKey(plain, key) shouldBeSameInstanceAs plain
        val inner = IOException("outer", ProtocolException("Invalid status line: \"BAD $key\""))
        val hidden = withoutKey(inner, key)
        hidden.stackTraceToString() shouldNotContain key
        hidden.cause!!.message shouldBe "java.net.ProtocolException: Invalid status line: \"BAD ***\""
        hidden.stackTrace shouldBe inner.stackTrace
        val suppressed = IOException("outer").also { it.addSuppressed(IOException("to https://host/?key=$key")) }
        withoutKey(suppressed, key).stackTraceToString() shouldNotContain key
    }

    test("other text stays") {
        for (text in listOf("the task-list of model gpt-4o-mini", "risk-averse", "ask-me", "", "sk-", "Rate limit reached for llama-3.3-70b-versatile")) {
            redact(text, null) shouldBe text
        }
    }
})
