package dev.unifiedllm.jupyter

import dev.unifiedllm.checkPublicApi
import io.kotest.core.spec.style.FunSpec

class PublicApiSpec : FunSpec({
    test("the public API is the one in api/jupyter-integration.api (change it by -Dapi.update=true)") { checkPublicApi("jupyter-integration") }
})
