package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.protocol.ListedModel
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.getJson
import dev.unifiedllm.protocol.listed
import dev.unifiedllm.protocol.pages
import dev.unifiedllm.protocol.positive
import dev.unifiedllm.protocol.string

/** `GET /v1/models`, a page after the other ([docs.cohere.com](https://docs.cohere.com/reference/list-models), read 2026-11-26). */
internal val cohereModels = ModelList { target, exchange ->
    val url = chatUrl(target.baseUrl).removeSuffix("/v2/chat") + "/v1/models"
    pages(target, exchange, { cursor -> getJson(target, url, PAGE + listOfNotNull(cursor?.let { "page_token" to it })) }) { page, models ->
        page.listed(target, "models").mapNotNullTo(models) { model ->
            model.string("name")?.let { ListedModel(it, maxInputTokens = model.positive("context_length")) }
        }
        page.string("next_page_token")
    }
}

private val PAGE = mapOf("page_size" to "1000")
