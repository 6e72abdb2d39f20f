package dev.unifiedllm.telemetry

import io.opentelemetry.api.trace.SpanKind
import io.opentelemetry.sdk.OpenTelemetrySdk
import io.opentelemetry.sdk.metrics.SdkMeterProvider
import io.opentelemetry.sdk.metrics.data.HistogramPointData
import io.opentelemetry.sdk.testing.exporter.InMemoryMetricReader
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter
import io.opentelemetry.sdk.trace.SdkTracerProvider
import io.opentelemetry.sdk.trace.data.SpanData
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor

/** An OpenTelemetry that keeps what it gets. */
internal class Recorded : AutoCloseable {
    private val exporter = InMemorySpanExporter.create()
    private val reader = InMemoryMetricReader.create()
    val sdk: OpenTelemetrySdk = OpenTelemetrySdk.builder()
        .setTracerProvider(SdkTracerProvider.builder().addSpanProcessor(SimpleSpanProcessor.create(exporter)).build())
        .setMeterProvider(SdkMeterProvider.builder().registerMetricReader(reader).build())
        .build()
    private val tracer = sdk.getTracer("test")

    /** The spans that have ended, in the order in which they began. */
    val spans: List<SpanData> get() = exporter.finishedSpanItems.sortedBy { it.startEpochNanos }

    fun span(name: String): SpanData = spans.single { it.name == name }

    /** The names of the spans, each below its parent by two blanks. */
    fun tree(): List<String> {
        val all = spans
        fun lines(parent: String, depth: Int): List<String> = all.filter { it.parentSpanId == parent }
            .flatMap { listOf("  ".repeat(depth) + it.name) + lines(it.spanId, depth + 1) }
        val ids = all.map { it.spanId }.toSet()
        return all.filter { it.parentSpanId !in ids }.flatMap { listOf(it.name) + lines(it.spanId, 1) }
    }

    fun points(metric: String): List<HistogramPointData> =
        reader.collectAllMetrics().singleOrNull { it.name == metric }?.histogramData?.points.orEmpty().toList()

    /** Runs [block] in a span of the application. */
    fun <T> inSpan(name: String, block: () -> T): T {
        val span = tracer.spanBuilder(name).setSpanKind(SpanKind.SERVER).startSpan()
        try {
            return span.makeCurrent().use { block() }
        } finally {
            span.end()
        }
    }

    fun clear() = exporter.reset()

    override fun close() = sdk.close()
}

/** The attributes by their names. */
internal val SpanData.values: Map<String, Any> get() = attributes.asMap().mapKeys { it.key.key }
