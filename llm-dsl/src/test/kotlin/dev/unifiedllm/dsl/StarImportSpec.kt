@file:Suppress("ktlint:standard:no-wildcard-imports") // as users write it

package dev.unifiedllm.everything

import dev.unifiedllm.*
import dev.unifiedllm.chat.*
import dev.unifiedllm.dsl.*
import dev.unifiedllm.store.*
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe

/** Compiles only while each name exists once among the packages that users import whole. */
class StarImportSpec : FunSpec({
    test("the packages of core and of the DSL can be imported whole, beside each other") {
        val chain: Model = firstOf(model("demo/error"), simple { it.uppercase() })
        val llm: Llm = llm { environment { null } }
        llm.use {
            it.chat(chain, "hi").get().text shouldBe "HI"
            it.chat(chain.with(Interceptor { request, next -> next.stream(request) }), "hi").get().cost shouldBe Cost.Free
        }
    }
})
