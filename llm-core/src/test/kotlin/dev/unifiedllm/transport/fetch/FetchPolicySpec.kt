package dev.unifiedllm.transport.fetch

import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.fetch.FetchException.Reason
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Socket

private class Vector(val url: String, val isAllowed: Boolean)

private val vectors: List<Vector> by lazy {
    val text = Vector::class.java.getResource("/ssrf-urls.json")!!.readText()
    Json.parseToJsonElement(text).jsonObject.getValue("vectors").jsonArray.map { it.jsonObject }
        .map { Vector(it.getValue("url").jsonPrimitive.content, it.getValue("allowed").jsonPrimitive.boolean) }
}

private val PUBLIC: InetAddress = InetAddress.getByName("93.184.215.14")

/** A network in which every name means a public address, and where [connected] tells what was connected to. No packet leaves this machine. */
private class Network(private val server: LoopbackServer, private vararg val answers: List<InetAddress>) {
    val resolved = mutableListOf<String>()
    val connected = mutableListOf<InetSocketAddress>()

    fun resolve(host: String): List<InetAddress> {
        resolved += host
        if (host[0].isDigit() || ':' in host) return listOf(InetAddress.getByName(host))
        return answers.getOrNull(resolved.size - 1) ?: answers.lastOrNull() ?: listOf(PUBLIC)
    }

    fun connect(address: InetSocketAddress): Socket {
        connected += address
        return Socket(InetAddress.getLoopbackAddress(), server.port)
    }

    fun fetcher() = MediaFetcher(resolve = ::resolve, connect = { address, _ -> connect(address) })
}

class FetchPolicySpec : FunSpec({
    var right = 0
    afterSpec { println("ssrf: $right of 47 vectors") }

    test("there are 47 vectors") {
        vectors shouldHaveSize 47
    }

    context("a URL on its own:") {
        withData<Vector>({ it.url }, vectors.filter { " " !in it.url }) { vector ->
            LoopbackServer { whole("content") }.use { server ->
                val network = Network(server)
                val refused = try {
                    if (!vector.url.startsWith("data:")) network.fetcher().fetch(vector.url.replace("https:", "http:"))
                    null
                } catch (failure: FetchException) {
                    failure.reason
                }
                refused shouldBe if (vector.isAllowed) null else Reason.REFUSED
                if (!vector.isAllowed) {
                    network.connected shouldHaveSize 0
                    server.connections shouldBe 0
                }
                right++
            }
        }
    }

    context("a URL that leads elsewhere:") {
        withData<Vector>({ it.url }, vectors.filter { " -> " in it.url }) { vector ->
            val (_, target) = vector.url.split(" -> 302 ")
            val start = Location.of("https://a.example/x")
            shouldThrow<FetchException> { start.redirectedTo(target).also { check(isPublic(InetAddress.getByName(it.host))) { "connects to ${it.host}" } } }
                .reason shouldBe Reason.REFUSED
            right++
        }
    }

    test("a name is resolved once, and the connection goes to the address that was checked") {
        vectors.count { it.url.startsWith("https://rebind.example/") } shouldBe 1
        LoopbackServer { whole("content") }.use { server ->
            val network = Network(server, listOf(PUBLIC), listOf(InetAddress.getLoopbackAddress()))
            network.fetcher().fetch("http://rebind.example/").bytes.decodeToString() shouldBe "content"
            network.resolved shouldContainExactly listOf("rebind.example")
            network.connected shouldContainExactly listOf(InetSocketAddress(PUBLIC, 80))
            shouldThrow<FetchException> { network.fetcher().fetch("http://rebind.example/") }.reason shouldBe Reason.REFUSED
            network.connected shouldHaveSize 1
            right++
        }
    }

    test("a name with a public and a private address is refused") {
        LoopbackServer { whole("content") }.use { server ->
            val network = Network(server, listOf(PUBLIC, InetAddress.getByName("10.0.0.1")))
            shouldThrow<FetchException> { network.fetcher().fetch("http://both.example/") }.message shouldBe "its host is in a private network"
            network.connected shouldHaveSize 0
        }
    }

    test("a name that means the loopback address is refused, by the network of this machine too") {
        shouldThrow<FetchException> {
            MediaFetcher(resolve = { listOf(InetAddress.getLoopbackAddress()) }).fetch("http://localtest.example/")
        }.reason shouldBe Reason.REFUSED
    }

    test("the next address is tried if one refuses the connection") {
        LoopbackServer { whole("content") }.use { server ->
            val tried = mutableListOf<InetAddress>()
            val second = InetAddress.getByName("2606:2800:220:1::1")
            val fetcher = MediaFetcher(
                resolve = { listOf(PUBLIC, second) },
                connect = { address, _ ->
                    tried += address.address
                    if (address.address == PUBLIC) throw IOException("refused")
                    Socket(InetAddress.getLoopbackAddress(), server.port)
                },
            )
            fetcher.fetch("http://a.example/x").bytes.decodeToString() shouldBe "content"
            tried shouldContainExactly listOf(PUBLIC, second)
        }
    }

    context("an address of a special network is not public:") {
        withData(
            "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "240.0.0.1", "172.20.1.1", "169.254.0.1",
            "100.127.255.255", "::ffff:10.0.0.1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fec0::1", "ff02::1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1",
        ) { isPublic(InetAddress.getByName(it)) shouldBe false }
    }

    context("an address beside a special network is public:") {
        withData(
            "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
            "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808",
        ) { isPublic(InetAddress.getByName(it)) shouldBe true }
    }

    test("a server that the user chose may be in a private network; another port, scheme or host of it is not that server") {
        LoopbackServer { request -> if (request.path == "/moved") head(302, "Location" to "/x") else whole("content") }.use { server ->
            val own = Origin.of(server.url + "/v1")
            for (path in listOf("/x", "/moved")) MediaFetcher().fetch(server.url + path, own).bytes.decodeToString() shouldBe "content"
            val before = server.connections
            for (url in listOf(
                "http://127.0.0.1:1/x",
                "https://127.0.0.1:${server.port}/x",
                "http://localhost:${server.port}/x",
                "http://127.0.0.2:${server.port}/",
            )) {
                shouldThrow<FetchException> { MediaFetcher().fetch(url, own) }.reason shouldBe Reason.REFUSED
            }
            server.connections shouldBe before
        }
    }

    test("an origin is the scheme, the host and the port") {
        Origin.of("HTTPS://Api.Example./v1") shouldBe Origin(isHttps = true, "api.example", 443)
        Origin.of("http://[::1]:8080") shouldBe Origin(isHttps = false, "::1", 8080)
        for (url in listOf("file:///etc/passwd", "api.example", "http://a b/")) Origin.of(url) shouldBe null
    }

    context("a URL is refused before its name is looked up:") {
        withData(
            "https://a.example:25/x", "https://intranet/x", "https://box.home.arpa/x", "https://[fe80::1%25eth0]/x", "https://1.2.3.04/x",
            "https://1.2.3.4.5/x", "https://a.example/x y", "https://a.example\r\nHost: b/x", "//a.example/x", "x.png",
        ) { url ->
            shouldThrow<FetchException> { MediaFetcher(resolve = { error("looked up $it") }).fetch(url) }.reason shouldBe Reason.REFUSED
        }
    }
})
