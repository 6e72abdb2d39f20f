package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import io.kotest.matchers.string.shouldNotContain

private fun target(model: String = "p/m", url: String = "https://a/v1", key: String? = "sk-secret") =
    Target(ModelId.parse(model), Provider("p", "openai-chat"), url, key?.let(ApiKey::of))

class TargetIdentitySpec : FunSpec({
    test("model, address and account make a target; the key itself is not in its identity") {
        target().identity shouldBe target().identity
        target(key = "sk-other").identity shouldNotBe target().identity
        target(key = null).identity shouldNotBe target().identity
        target(url = "https://b/v1").identity shouldNotBe target().identity
        target(model = "p/n").identity shouldNotBe target().identity
        "${target().identity}" shouldNotContain "sk-secret"
    }
})
