package dev.unifiedllm.dsl

import dev.unifiedllm.checkPublicApi
import io.kotest.core.spec.style.FunSpec

class PublicApiSpec : FunSpec({
    test("the public API is the one in api/llm-dsl.api (change it by -Dapi.update=true)") { checkPublicApi("llm-dsl") }
})
