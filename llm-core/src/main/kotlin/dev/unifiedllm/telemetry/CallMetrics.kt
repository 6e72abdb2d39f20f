package dev.unifiedllm.telemetry

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import io.opentelemetry.api.metrics.DoubleHistogram
import io.opentelemetry.api.metrics.LongHistogram
import io.opentelemetry.api.metrics.Meter
import io.opentelemetry.api.common.Attributes as Values

/** What a measurement is of. @property responseModel null if no response had begun @property errorType null if the operation did not fail */
internal class Measured(
    private val operation: String,
    private val model: ModelId,
    private val server: Server?,
    private val responseModel: String?,
    private val errorType: String?,
) {
    fun values(tokenType: String? = null): Values = Values.builder().apply {
        put(Attributes.OPERATION, operation)
        put(Attributes.PROVIDER, providerName(model))
        put(Attributes.REQUEST_MODEL, model.name)
        responseModel?.let { put(Attributes.RESPONSE_MODEL, it) }
        server?.let {
            put(Attributes.ADDRESS, it.host)
            put(Attributes.PORT, it.port)
        }
        if (tokenType == null) errorType?.let { put(Attributes.ERROR_TYPE, it) } else put(Attributes.TOKEN_TYPE, tokenType)
    }.build()
}

/** The metrics of operations, with the buckets that the conventions name. */
internal class CallMetrics(meter: Meter) {
    private val duration: DoubleHistogram = meter.seconds("gen_ai.client.operation.duration", "GenAI operation duration.")

    private val timeToFirstChunk: DoubleHistogram =
        meter.seconds("gen_ai.client.operation.time_to_first_chunk", "Time from the request to the first chunk of the response.")

    private val tokens: LongHistogram = meter.histogramBuilder("gen_ai.client.token.usage").ofLongs().setUnit("{token}")
        .setDescription("Number of input and output tokens used.")
        .setExplicitBucketBoundariesAdvice(List(TOKEN_BUCKETS) { 1L shl (2 * it) })
        .build()

    /** @param timeToFirst null for what is not streamed @param usage as the provider reported it; null if it did not */
    fun record(measured: Measured, seconds: Double, timeToFirst: Double?, usage: Usage?) {
        val values = measured.values()
        duration.record(seconds, values)
        timeToFirst?.let { timeToFirstChunk.record(it, values) }
        if (usage == null || usage.estimated) return
        (usage.billedInputTokens ?: usage.inputTokens)?.let { tokens.record(it, measured.values("input")) }
        (usage.billedOutputTokens ?: usage.outputTokens)?.let { tokens.record(it, measured.values("output")) }
    }

    private fun Meter.seconds(name: String, description: String): DoubleHistogram =
        histogramBuilder(name).setUnit("s").setDescription(description).setExplicitBucketBoundariesAdvice(SECONDS).build()

    private companion object {
        /** 1, 4, 16, … 67108864. */
        const val TOKEN_BUCKETS = 14
        val SECONDS = List(14) { (1 shl it) / 100.0 }
    }
}
