package dev.unifiedllm

import dev.unifiedllm.LlmException.Configuration
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.shownUrl
import dev.unifiedllm.pricing.PriceFile
import dev.unifiedllm.provider.isLoopback
import dev.unifiedllm.transport.fetch.FetchException
import dev.unifiedllm.transport.fetch.FetchException.Reason
import dev.unifiedllm.transport.fetch.MediaFetcher
import dev.unifiedllm.transport.fetch.Origin
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.nio.file.InvalidPathException
import java.nio.file.Path
import java.time.LocalDate
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** Takes the prices at [place], a file or a URL, in place of the catalogue of the client that [client] gives when the call is sent. */
internal fun priceRefresh(client: () -> Client, place: String): Call<PriceRefresh> =
    QueryCall(client, ChatRequest.build(ModelId("", "refreshPrices")) { }) { queries ->
        queries.prices.replace(if (URL.containsMatchIn(place)) queries.priceFile(place) else readFile(place))
    }

private suspend fun readFile(place: String): PriceFile {
    val file = try {
        Path.of(place)
    } catch (wrong: InvalidPathException) {
        throw Configuration("\"$place\" is neither a file nor a URL with prices. Write a path, or a URL that begins with https://.", wrong)
    }
    return withContext(Dispatchers.IO) { PriceFile.read(file, LocalDate.now()) }
}

/**
 * Reads the prices at [url], without credentials: over https from anywhere, over http from this machine only.
 *
 * @throws Configuration if the URL may not be read, or has no prices
 */
internal suspend fun MediaFetcher.prices(url: String): PriceFile {
    val shown = shownUrl(url)
    fun refuse(problem: String, cause: Throwable? = null): Nothing =
        throw Configuration("The prices at $shown were not read: $problem. The prices in use stay. Download them, and give the file.", cause)

    val origin = Origin.of(url) ?: refuse("it is not a valid URL")
    if (!origin.isHttps && !isLoopback(origin.host)) refuse("http:// is for servers on this machine only. Write https://")
    val content = try {
        fetch(url, origin)
    } catch (failed: FetchException) {
        val message = "The prices at $shown were not read: ${failed.message}. The prices in use stay. Try again, or download them and give the file."
        throw when (failed.reason) {
            Reason.TIMEOUT -> Timeout(message, Timeout.Phase.FIRST_BYTE, failed)
            Reason.NETWORK -> Network(message, Network.Phase.CONNECT, failed)
            Reason.REFUSED, Reason.STATUS, Reason.TOO_LARGE -> refuse(failed.message.orEmpty(), failed)
        }
    }
    return withContext(Dispatchers.Default) { PriceFile.parse(content.bytes.decodeToString(), shown, shown, LocalDate.now()) }
}

private val URL = Regex("^[A-Za-z][A-Za-z0-9+.-]+://")

/** For a price map and all its redirects. */
internal val PRICE_TIME_LIMIT: Duration = 60.seconds
