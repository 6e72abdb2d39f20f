package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.protocol.ListedModel
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.getJson
import dev.unifiedllm.protocol.listed
import dev.unifiedllm.protocol.string

/** The models on the server: `GET /api/tags` ([docs/api.md](https://github.com/ollama/ollama/blob/main/docs/api.md), read 2026-11-26). */
internal val ollamaModels = ModelList { target, exchange ->
    exchange.send(getJson(target, ollamaUrl(target.baseUrl) + "/api/tags")).listed(target, "models").mapNotNull { model ->
        (model.string("model") ?: model.string("name"))?.let { ListedModel(it) }
    }
}
