package dev.unifiedllm

import io.kotest.core.spec.style.FunSpec

class PublicApiSpec : FunSpec({
    test("the public API is the one in api/llm-core.api (change it by -Dapi.update=true)") { checkPublicApi("llm-core") }
})
