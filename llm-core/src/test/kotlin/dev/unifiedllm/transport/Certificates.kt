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

/** An authority and certificates that it signed, which the JDK's keytool makes at first use. No files remain. */
object Certificates {
    const val PASSWORD: String = "changeit"

    /** For 127.0.0.1, localhost and Azure's hosts. */
    const val SERVER: String = "server"

    /** As [SERVER], but expired. */
    const val EXPIRED: String = "expired"

    /** As [SERVER], but not valid yet. */
    const val FUTURE: String = "future"

    /** For another host. */
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
            keytool(store, FUTURE, "-signer", AUTHORITY, "-ext", HOSTS, "-startdate", "+9d", "-validity", "20")
            keytool(store, ELSEWHERE, "-signer", AUTHORITY, "-ext", "san=dns:elsewhere.example")
            keytool(store, CLIENT, "-signer", AUTHORITY)
            KeyStore.getInstance(store, password)
        } finally {
            folder.deleteRecursively()
        }
    }

    /** A context, for either side of a connection, with the certificate [identity] if there is one. It trusts the authority, unless [trusts] is false. */
    @JvmStatic
    @JvmOverloads
    fun context(identity: String? = null, trusts: Boolean = true): SSLContext {
        val keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm()).apply { init(keyStore(identity), password) }
        val trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(trustStore(trusts)) }
        return SSLContext.getInstance("TLS").apply { init(keys.keyManagers, trust.trustManagers, null) }
    }

    /** Writes a trust store with the certificate of the authority to [file]. */
    @JvmStatic
    fun writeTrustStore(file: Path): Path = write(trustStore(true), file)

    /** Writes a key store with the key and the certificates of [identity] to [file]. */
    @JvmStatic
    fun writeKeyStore(file: Path, identity: String): Path = write(keyStore(identity), file)

    /** Writes the certificate of the authority to [file], as PEM. */
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
