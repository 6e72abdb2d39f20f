package dev.unifiedllm

import dev.unifiedllm.provider.flag
import dev.unifiedllm.provider.sharedFlag
import dev.unifiedllm.transport.DetailingTransport
import dev.unifiedllm.transport.LoggingTransport
import dev.unifiedllm.transport.Transport

/** Where the lines of the log of HTTP go to. */
internal class HttpLog(val level: HttpLogLevel, val listener: (String) -> Unit)

/**
 * This transport with the logs that [builder] and its variables ask for, and with detailed failures if they ask for these. This transport itself if nothing is
 * asked for.
 *
 * @throws LlmException.Configuration if a variable is set to something else than true or false
 */
internal fun Transport.observed(builder: LlmBuilder): Transport {
    val variables = builder.variables
    val isDetailed = builder.detailedErrors ?: variables.flag("DETAILED_ERROR") ?: false
    val detailing = if (isDetailed) DetailingTransport(this) else this
    return listOfNotNull(builder.httpLog, builder.standardErrorLog()).fold(detailing) { inner, log ->
        LoggingTransport(inner, withBodies = log.level == HttpLogLevel.BODIES, listener = log.listener)
    }
}

private fun LlmBuilder.standardErrorLog(): HttpLog? {
    val isVerbose = verbose ?: variables.flag("LITELLM_VERBOSE")
    val level = when {
        isVerbose == true -> HttpLogLevel.BODIES
        isVerbose == null && variables.sharedFlag("DEBUG") == true -> HttpLogLevel.HEADERS
        else -> return null
    }
    return HttpLog(level) { line -> System.err.println("unified-llm $line") }
}
