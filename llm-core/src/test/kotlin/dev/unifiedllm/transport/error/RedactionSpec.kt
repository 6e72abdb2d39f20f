package dev.unifiedllm.transport.error

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotContain

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

    test("other text stays") {
        for (text in listOf("the task-list of model gpt-4o-mini", "risk-averse", "ask-me", "", "sk-", "Rate limit reached for llama-3.3-70b-versatile")) {
            redact(text, null) shouldBe text
        }
    }
})
