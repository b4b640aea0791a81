<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22">
  <pipe>
    <rasterrenderer type="singlebandpseudocolor" band="3" opacity="1" alphaBand="-1" classificationMin="0" classificationMax="100" nodataColor="">
      <rasterTransparency/>
      <rastershader>
        <colorrampshader colorRampType="DISCRETE" classificationMode="1" clip="0" minimumValue="0" maximumValue="100">
          <item value="${edge_1}" color="${hex_1}" alpha="255" label="${label_1}"/>
          <item value="${edge_2}" color="${hex_2}" alpha="255" label="${label_2}"/>
          <item value="${edge_3}" color="${hex_3}" alpha="255" label="${label_3}"/>
          <item value="${edge_4}" color="${hex_4}" alpha="255" label="${label_4}"/>
          <item value="inf" color="${hex_5}" alpha="255" label="${label_5}"/>
        </colorrampshader>
      </rastershader>
    </rasterrenderer>
    <rasterresampler maxOversampling="1"/>
  </pipe>
  <blendMode>0</blendMode>
</qgis>
