package dev.unifiedllm.transport

import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.security.KeyStore
import java.security.cert.Certificate
import java.util.Base64
import java.util.concurrent.TimeUnit
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory

/** An authority, and certificates that it signed, made by the JDK's own keytool when they are first needed; nothing is kept. */
object Certificates {
    const val PASSWORD: String = "changeit"

    /** For 127.0.0.1, localhost and Azure's hosts. */
    const val SERVER: String = "server"

    /** As [SERVER], and not valid any more. */
    const val EXPIRED: String = "expired"

    /** For a host that nobody is. */
    const val ELSEWHERE: String = "elsewhere"

    const val CLIENT: String = "client"

    private const val AUTHORITY = "authority"
    private const val HOSTS = "san=ip:127.0.0.1,dns:localhost,dns:*.openai.azure.com,dns:*.cognitiveservices.azure.com,dns:*.services.ai.azure.com"
    private val password = PASSWORD.toCharArray()

    private val all: KeyStore by lazy {
        val folder = Files.createTempDirectory("certificates").toFile()
        try {
            val store = File(folder, "all.p12")
            keytool(store, AUTHORITY, "-ext", "bc:c=ca:true", "-ext", "ku:c=keyCertSign")
            keytool(store, SERVER, "-signer", AUTHORITY, "-ext", HOSTS)
            keytool(store, EXPIRED, "-signer", AUTHORITY, "-ext", HOSTS, "-startdate", "-9d", "-validity", "2")
            keytool(store, ELSEWHERE, "-signer", AUTHORITY, "-ext", "san=dns:elsewhere.example")
            keytool(store, CLIENT, "-signer", AUTHORITY)
            KeyStore.getInstance(store, password)
        } finally {
            folder.deleteRecursively()
        }
    }

    /** As [identity], or as nobody; it trusts the authority, or with [trusts] false nobody. For either side of a connection. */
    @JvmStatic
    @JvmOverloads
    fun context(identity: String? = null, trusts: Boolean = true): SSLContext {
        val keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm()).apply { init(keyStore(identity), password) }
        val trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(trustStore(trusts)) }
        return SSLContext.getInstance("TLS").apply { init(keys.keyManagers, trust.trustManagers, null) }
    }

    /** Writes the authority's certificate to [file], as a key store. */
    @JvmStatic
    fun writeTrustStore(file: Path): Path = write(trustStore(true), file)

    /** Writes the key of [identity] and its certificates to [file], as a key store. */
    @JvmStatic
    fun writeKeyStore(file: Path, identity: String): Path = write(keyStore(identity), file)

    /** Writes the authority's certificate to [file], as PEM. */
    @JvmStatic
    fun writeAuthority(file: Path): Path {
        val lines = Base64.getMimeEncoder().encodeToString(authority().encoded)
        return Files.writeString(file, "-----BEGIN CERTIFICATE-----\n$lines\n-----END CERTIFICATE-----\n")
    }

    private fun authority(): Certificate = all.getCertificate(AUTHORITY)

    private fun trustStore(trusts: Boolean) = empty().apply { if (trusts) setCertificateEntry(AUTHORITY, authority()) }

    private fun keyStore(identity: String?) =
        empty().apply { identity?.let { setKeyEntry(it, all.getKey(it, password), password, all.getCertificateChain(it)) } }

    private fun empty() = KeyStore.getInstance("PKCS12").apply { load(null, password) }

    private fun write(store: KeyStore, file: Path): Path = file.also { Files.newOutputStream(it).use { out -> store.store(out, password) } }

    private fun keytool(store: File, name: String, vararg more: String) {
        val tool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString()
        val command = listOf(tool, "-genkeypair", "-keystore", store.path, "-storetype", "PKCS12", "-storepass", PASSWORD, "-keyalg", "EC") +
            listOf("-alias", name, "-dname", "CN=$name") + more
        val log = File(store.parentFile, "$name.log")
        val process = ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log).start()
        check(process.waitFor(1, TimeUnit.MINUTES)) { "keytool does not end" }
        check(process.exitValue() == 0) { "keytool failed for $name: ${log.readText()}" }
    }
}
